"""What datasets become in packages that compute: dask, xarray, pandas, Arrow, specutils, ..."""
