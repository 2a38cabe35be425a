from . import keras as keras
from . import torch as torch
from . import twins as twins
