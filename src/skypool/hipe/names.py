"""Where each public name of this package lives; modules are loaded when a name is first used."""

from __future__ import annotations

__all__ = ["HOMES"]

_NAMES = {
    "finetime": "FineTime",
    "urn": "Urn",
    "parameters": """
        BooleanParameter DateParameter DoubleParameter LongParameter Parameter
        StringParameter
    """,
    "metadata": "MetaData",
    "arrays": "ArrayDataset",
    "tables": "Column TableDataset",
    "datasets": "CompositeDataset",
    "products": "Product",
    "wcs": "Wcs",
    "images": "RgbSimpleImage SimpleCube SimpleImage SpectralSimpleCube",
    "spectra": "SimpleSpectrum Spectrum Spectrum1d Spectrum2d TableProduct",
    "contexts": "Context ListContext MapContext",
    "observations": "ObservationContext QualityContext",
    "refs": "ProductRef",
    "pools": "HttpClientPool LocalStore LocalStoreContext ProductPool",
    "managers": "LStoreMaintenanceUtil LocalStoreFactory PoolManager TemporalPool",
    "hsa": "HsaReadPool MyHSAConnection MyHSAPool",
    "storage": "ProductStorage StorageManager",
    "queries": "AttribQuery FullQuery JavaQuery MetaQuery Query StorageQuery",
    "tasks": """
        exportObservation getObservation localStoreCopier readSliced saveObservation saveProduct
        saveSlicedCopy
    """,
    "fits": "fitsReader simpleFitsReader simpleFitsWriter",
    "background": "bg",
    "ascii_tables": "AsciiParser CsvFormatter asciiTableReader asciiTableWriter",
    "exceptions": """
        ContextRuleException IllegalArgumentException NoSuchElementException
    """,
    # Arrays and functions over numpy, in the order of their number of axes.
    "numeric": " ".join(
        f"{kind}{axes}d"
        for kind in (
            "Bool", "Byte", "Complex", "Double", "Float", "Int", "Long", "Short", "String",
        )
        for axes in range(1, 6)
    )
    + """
        ABS ALL ANY ARCCOS ARCSIN ARCTAN CEIL CONJUGATE COS COSH EXP FIX FLOOR IMAG
        IS_FINITE IS_INFINITE IS_NAN LOG LOG10 MAX MEAN MEDIAN MIN MODULO NAN_FILTER NOT PRODUCT
        REAL RESHAPE REVERSE RMS ROUND SIGNUM SIN SINH SORT SQRT SQUARE STDDEV SUM TAN TANH
        TRANSPOSE VARIANCE WHERE ArrayData BinCentres Histogram Selection max min
    """,
}  # fmt: skip

HOMES: dict[str, str] = {name: home for home, names in _NAMES.items() for name in names.split()}
