from . import keras as keras
from . import lightning as lightning
from . import torch as torch
from .history import EarlyStopping as EarlyStopping
from .history import History as History
