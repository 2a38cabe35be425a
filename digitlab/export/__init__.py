"""A trained system as a file that needs no digitlab: features and network in one graph.

Samples go in, probabilities come out. The graph pads clips, scales them to peak 1, computes the
features and runs the network. It is written in three formats: for ONNX Runtime, Keras and PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
