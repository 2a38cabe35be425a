from . import keras as keras
from . import lightning as lightning
from . import torch as torch
from .callbacks import Checkpoint as Checkpoint
from .callbacks import CheckpointError as CheckpointError
from .callbacks import EarlyStopping as EarlyStopping
from .callbacks import Logger as Logger
from .history import History as History
