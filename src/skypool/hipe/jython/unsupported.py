"""Names of HIPE that skypool does not have, and what one does today instead."""

from __future__ import annotations

import re

__all__ = ["advice", "modern_way"]

_PLOT = "plot with matplotlib: plt.plot(x, y); values of a table are numpy arrays"
_DISPLAY = (
    "look at images with `skypool send`, in DS9 or Aladin, or with matplotlib: plt.imshow(image)"
)
_MAPS = (
    "maps are made by the pipelines of HIPE, Scanamorphos or Unimap; skypool keeps and searches"
    " their results"
)
_PIPELINE = "skypool keeps the products of pipelines and does not run them; load the result instead"
_CALIBRATION = "calibration trees are products: obs.calibration, or getObservation(...).calibration"
_PHOTOMETRY = "use photutils: aperture_photometry(image, aperture), DAOStarFinder"
_IMAGE = "use astropy and reproject on numpy.asarray(image.image.data), with image.wcs"
_FIT = "use astropy.modeling (fitting, models) or scipy.optimize on the numpy arrays"
_INTERPOLATION = "use numpy.interp or scipy.interpolate on the numpy arrays"
_SPECTRUM = "use specutils on the columns of the spectrum; they are numpy arrays"
_TABLE = "read and write tables with astropy: Table.read(file, format='ascii')"
_WINDOWS = "ask with input() or give values as arguments of the script: sys.argv"
_TASK = "write a function; HIPE's tasks, with their windows, are not needed"
_ARCHIVE = (
    "get observations with `skypool herschel get OBSID` or getObservation(obsid, useHsa=True)"
)
_SESSION = "save products in a pool: saveProduct(product=..., pool='...')"

_NAMES: dict[str, str] = {
    _PLOT: """
        PlotXY LayerXY LayerHistogram SubPlot SubPlotComposite SubPlotLayer Axis AxisTick
        AxisTickLabel AuxAxis Style SymbolShape Annotation AnnotationToolbox PlotLegend PlotTitle
        ChartType TablePlotter OverPlotter SpectrumExplorer openSE PowerSpectrum StyleEngine
    """,
    _DISPLAY: """
        Display ImageDisplay RgbDisplay createRgbImage CubeAnalysisToolBox CubeSpectrumAnalysis
        openVariable HipeDesktop
    """,
    _MAPS: """
        photProject photProjectPointSource naiveScanMapper destriper madScanMapper runMadMap
        makeTodArray unimap scanamorphos jscanam photMMTDeglitching highpassFilter iindMapper
        mosaicMaps superResolutionMapper zeroPointCorrection doGridding specProject interpolate
        drizzle wcs4mapsGenerator spireProjection
    """,
    _PIPELINE: """
        runPacsSpg runPacsPhotometerPipeline runMinimap hifiPipeline HifiPipelineTask
        findBlocks photFlagBadPixels photFlagSaturation photConvDigit2Volts photCorrectCrosstalk
        photRespFlatfieldCorrection photAddInstantPointing photAssignRaDec cleanPlateauFrames
        addUtc convertChopper2Angle joinPhotDetTimelines joinNhkTimelines calcBsmAngles
        createSpirePointing signalJumpDetector concurrentGlitchDeglitcher waveletDeglitcher
        lpfResponseCorrection photFluxConversion temperatureDriftCorrection
        bolometerResponseCorrection associateSkyPosition cutPhotDetTimelines timeCorrelation
        applyRelativeGains baselineRemovalMedian baselineRemovalPolynomial
        applyExtendedEmissionGains specFlagSaturationFrames activateMasks selectSlices
        specWaveRebin wavelengthGrid specDiffChop specAddInstantPointing waveCalc specFlagGlitch
        extractCentralSpectrum extractSpaxelSpectrum undoExtendedSourceCorrection mkRsrf
        Level1Context Level2Context PacsContext PacsCal SpireCalTask doOffSubtract
        doAvg doFluxHotCold doRefSubtract doFreqGrid mkFreqGrid fitHifiFringe fitBaseline flagTool
        photOffsetCorr photDriftCorrection maskUnmaskRange sourceExtractorSussextractor
        scanSpeedMask filterOnScanSpeed timelineNoiseAverage reprocess
    """,
    _CALIBRATION: "spireCal getCalTree calTree SpireCal PacsCalTree getPacsCalTree CalTree",
    _PHOTOMETRY: """
        annularSkyAperturePhotometry fixedSkyAperturePhotometry rectangularSkyAperturePhotometry
        sourceExtractorDaophot sourceExtractorTimeline sourceFitting sourceFitter
        photApertureCorrectionPointSource timelineSourceFitter AperturePhotometry
        multiAnnularSkyAperturePhotometry
    """,
    _IMAGE: """
        crop imageConvolution imageAdd imageSubtract imageMultiply imageDivide imageModulo imageSqrt
        imageRotate rotate scale translate transpose clip imageFlip regrid resample
        contour manualContour automaticContour imageHistogram circleHistogram profile
        convertImageUnit imageSmoothing boxCarSmoothing gaussianSmoothing importImage
        MosaicTask mosaic cutLevels pixelToSky Wcs ImageUtil
    """,
    _FIT: """
        SpectrumFitter fitSpectrum Fitter LevenbergMarquardtFitter AmoebaFitter PolynomialModel
        GaussModel Gauss2DModel LinearModel ExpModel PowerModel LorentzModel SincModel BinaryModel
        CubicSplinesModel MultiFit spectrumFitter
    """,
    _INTERPOLATION: """
        LinearInterpolator CubicSplineInterpolator NearestNeighborInterpolator TrapezoidalIntegrator
        SimpsonIntegrator RombergIntegrator FFT FFT_PACK Convolution BoxCarFilter GaussianFilter
        MedianFilter Matrix MatrixInverse MatrixMultiply MatrixSolve
    """,
    _SPECTRUM: """
        smoothSpectrum statisticsSpectrum resampleSpectrum averageSpectra foldSpectrum
        extractFreqRanges selectSpectrum convertWavescale mergeSpectrum unitSpectrum gaussSmooth
        extractSpectrum spectralSmooth
    """,
    _TABLE: """
        CsvParser RegexParser TableTemplate FixedWidthParser FitsArchive
        exportSpectrumToAscii exportTableDatasetToAscii votableReader votableWriter
    """,
    _WINDOWS: """
        JOptionPane JFrame JDialog JFileChooser JButton JPanel JLabel JTextField SwingUtilities
        UIManager
    """,
    _TASK: """
        Task TaskParameter JTask ParameterGroups TaskToolRegistry TaskModifier
        PluginRegistry ExternalHelp
    """,
    _ARCHIVE: "hsaReader HsaReader archiveLogin loadObs downObs importObservation poolDataReader",
    _SESSION: "restore saveVariables localStoreWriter poolDataWriter saveSession",
}  # fmt: skip

_BY_NAME = {name: way for way, names in _NAMES.items() for name in names.split()}

# Packages whose every name is answered alike.
_PACKAGES: tuple[tuple[str, str], ...] = (
    ("herschel.ia.gui.plot", _PLOT),
    ("herschel.ia.gui.image", _DISPLAY),
    ("herschel.ia.gui", _WINDOWS),
    ("herschel.ia.toolbox.image", _IMAGE),
    ("herschel.ia.toolbox.srcext", _PHOTOMETRY),
    ("herschel.ia.toolbox.fit", _FIT),
    ("herschel.ia.toolbox.spectrum", _SPECTRUM),
    ("herschel.ia.toolbox.cube", _SPECTRUM),
    ("herschel.ia.toolbox.hsa", _ARCHIVE),
    ("herschel.ia.numeric.toolbox.fit", _FIT),
    ("herschel.ia.numeric.toolbox.interp", _INTERPOLATION),
    ("herschel.ia.numeric", _INTERPOLATION),
    ("herschel.ia.io.ascii", _TABLE),
    ("herschel.ia.task", _TASK),
    ("herschel.pacs.cal", _CALIBRATION),
    ("herschel.spire.ia.cal", _CALIBRATION),
    ("herschel.pacs", _PIPELINE),
    ("herschel.spire", _PIPELINE),
    ("herschel.hifi", _PIPELINE),
    ("javax.swing", _WINDOWS),
    ("java.awt", _WINDOWS),
    ("java.sql", "use sqlite3 or another database module of Python"),
    ("java.net", "use urllib.request"),
    ("java", "use what Python's own library has for it"),
    ("javax", "use what Python's own library has for it"),
    ("org", "use what Python's own library has for it"),
    ("com", "use what Python's own library has for it"),
)

_GENERAL = (
    "docs/howto/hipe-scripts.md lists what scripts can use, and what takes the place of the rest"
)


def advice(name: str) -> str | None:
    """Give the modern way for a name of HIPE that is known.

    Parameters
    ----------
    name
        Such as ``photProject``.

    Returns
    -------
    str or None
        None for names that HIPE's console did not have, or that skypool has.
    """
    return _BY_NAME.get(name)


def modern_way(path: str) -> str:
    """Give the modern way for any name that is not supported.

    Parameters
    ----------
    path
        Such as ``photProject`` or ``herschel.ia.gui.plot.PlotXY``.

    Returns
    -------
    str
    """
    for part in re.split(r"\.", path):
        if part in _BY_NAME:
            return _BY_NAME[part]
        task = part[:1].lower() + part[1:].removesuffix("Task")
        if part.endswith("Task") and task in _BY_NAME:
            return _BY_NAME[task]
    for start, way in _PACKAGES:
        if path == start or path.startswith(f"{start}."):
            return way
    return _GENERAL
