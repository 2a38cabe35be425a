from . import keras as keras
from . import torch as torch
from .history import History as History
