from . import keras as keras
from . import torch as torch
from .history import EarlyStopping as EarlyStopping
from .history import History as History
