"""What a product is: metadata, datasets, references and history, none of which ever change."""
