from .cards import card as card
from .files import FORMATS as FORMATS
from .files import write as write
from .integers import quantise as quantise
