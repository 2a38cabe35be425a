from . import (
    adaptation as adaptation,
)
from . import (
    audio as audio,
)
from . import (
    augment as augment,
)
from . import (
    corpora as corpora,
)
from . import (
    decoding as decoding,
)
from . import (
    environment as environment,
)
from . import (
    evaluation as evaluation,
)
from . import (
    experiment as experiment,
)
from . import (
    export as export,
)
from . import (
    features as features,
)
from . import (
    layouts as layouts,
)
from . import (
    microphone as microphone,
)
from . import (
    model_cards as model_cards,
)
from . import (
    models as models,
)
from . import (
    monitoring as monitoring,
)
from . import (
    perturbation as perturbation,
)
from . import (
    planned as planned,
)
from . import (
    plans as plans,
)
from . import (
    plotting as plotting,
)
from . import (
    preparation as preparation,
)
from . import (
    pretrained as pretrained,
)
from . import (
    provenance as provenance,
)
from . import (
    recipes as recipes,
)
from . import (
    recognisers as recognisers,
)
from . import (
    reports as reports,
)
from . import (
    results as results,
)
from . import (
    riff as riff,
)
from . import (
    serving as serving,
)
from . import (
    speech_measures as speech_measures,
)
from . import (
    splits as splits,
)
from . import (
    streaming as streaming,
)
from . import (
    training as training,
)
from . import (
    voices as voices,
)
from . import (
    widgets as widgets,
)

__version__: str
