// The name that people import: everything that the library offers, whichever target it is in.
@_exported public import Activations
@_exported public import ProbeMetrics
@_exported public import ProbeReports
@_exported public import ProbeSelection
@_exported public import ProbeTraining
@_exported public import Probes
@_exported public import Storage
@_exported public import Tensors
