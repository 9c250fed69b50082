"""The C side in ctypes: what reformerc.h, reformer_rt.h and reformer_generate.h declare and this package uses.

tests/python/test_abi.py has the C compiler say every size, offset and value that stands here.
"""

import ctypes as c
import enum

TraceFn = c.CFUNCTYPE(
    None, c.c_void_p, c.c_char_p, c.c_void_p, c.c_int, c.POINTER(c.c_int64), c.c_int
)
TokenFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_size_t, c.c_int32, c.c_void_p)


class Code(enum.IntEnum):
    """REFORMER_E_… and REFORMERC_E_…: what calls return."""

    OK = 0
    ARGUMENT = 1
    TOKEN = 2
    LENGTH = 3
    BATCH = 4
    LABEL = 5
    CPU = 6
    WEIGHTS = 7
    VERSION = 8
    FINGERPRINT = 9
    ALIGNMENT = 10
    CHECKSUM = 11
    NAN = 12
    OUTPUT = 13
    CACHE = 14
    FULL = 15
    EMPTY = 16
    DECODE = 17
    LOGITS = 18
    TRAIN = 19
    POSITION = 20
    DIVERGED = 21
    WORKSPACE = 22
    SIZE = 23
    MODEL = 24
    LIBRARY_SPEC = 100
    LIBRARY_OPTION = 101
    LIBRARY_WEIGHTS = 102
    LIBRARY_COMPILE = 103
    LIBRARY_MEMORY = 104
    LIBRARY_UNBOUND = 105
    LIBRARY_FORWARD = 106
    LIBRARY_DEFECT = 107


class Head(enum.IntEnum):
    """What stands on top of a model."""

    NONE = 0
    CAUSAL_LM = 1
    MASKED_LM = 2
    CLASSIFIER = 3
    QA = 4


class End(enum.IntEnum):
    """Why a text ended."""

    LENGTH = 0
    STOP = 1
    EOS = 2
    CALLBACK = 3
    FULL = 4
    NONE = 5


class WeightType(enum.IntEnum):
    F32 = 0
    F16 = 1
    BF16 = 2
    F64 = 3


GO_ON, STOP_ROW, STOP_ALL = 0, 1, 2
NEVER_EARLY = 2
MAX_THREADS = 1024
MAX_RANK = 8
TRACED_F32, TRACED_I32 = 0, 1


class Sized(c.Structure):
    """Begins with its size, which the library compares with its own."""

    def __init__(self, **values: object) -> None:
        super().__init__(size=c.sizeof(self), **values)


class Tensor(Sized):
    """reformerc_tensor_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("name", c.c_char_p),
        ("dtype", c.c_int),
        ("rank", c.c_int),
        ("shape", c.c_int64 * MAX_RANK),
        ("data", c.c_void_p),
    ]


class Options(Sized):
    """reformerc_options_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("backend", c.c_char_p),
        ("target", c.c_char_p),
        ("settings", c.POINTER(c.c_char_p)),
        ("n_settings", c.c_size_t),
        ("weights", c.c_char_p),
        ("tensors", c.POINTER(Tensor)),
        ("n_tensors", c.c_size_t),
        ("rotations", c.c_char_p),
        ("seed", c.c_uint64),
        ("threads", c.c_int),
        ("cc", c.c_char_p),
        ("no_cache", c.c_int),
        ("trace", c.c_int),
        ("impose_buckets", c.c_int),
        ("verify", c.c_int),
        ("instrument", c.c_int),
        ("decode", c.c_int),
        ("train", c.c_int),
    ]


class Info(Sized):
    """reformerc_info_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("backend", c.c_char_p),
        ("target", c.c_char_p),
        ("head", c.c_int),
        ("batch", c.c_int64),
        ("max_length", c.c_int64),
        ("hidden", c.c_int64),
        ("vocab", c.c_int64),
        ("labels", c.c_int64),
        ("pad_token", c.c_int64),
        ("lsh_layers", c.c_int64),
        ("heads", c.c_int64),
        ("rounds", c.c_int64),
        ("variants", c.c_int),
        ("bound", c.c_int),
        ("positions", c.c_int64),
    ]


class Io(Sized):
    """reformer_io_t"""

    held: object  #: arrays that it points to
    _fields_ = [
        ("size", c.c_size_t),
        ("input_ids", c.c_void_p),
        ("attention_mask", c.c_void_p),
        ("batch", c.c_size_t),
        ("length", c.c_size_t),
        ("threads", c.c_int),
        ("last_hidden_state", c.c_void_p),
        ("logits", c.c_void_p),
        ("start_logits", c.c_void_p),
        ("end_logits", c.c_void_p),
        ("labels", c.c_void_p),
        ("start_positions", c.c_void_p),
        ("end_positions", c.c_void_p),
        ("labels_f32", c.c_void_p),
        ("loss", c.c_void_p),
        ("pool", c.c_void_p),
        ("trace", TraceFn),
        ("trace_ctx", c.c_void_p),
        ("buckets", c.c_void_p),
        ("buckets_given", c.c_void_p),
        ("profile", c.c_void_p),
        ("profile_ctx", c.c_void_p),
        ("token_losses", c.c_void_p),
        ("dropout_seed", c.c_uint64),
        ("dropout_step", c.c_uint32),
        ("dropout_row", c.c_uint32),
        ("positions", c.c_void_p),
        ("ready", c.c_void_p),
        ("ready_ctx", c.c_void_p),
    ]


class Decode(Sized):
    """reformer_decode_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("input_ids", c.c_void_p),
        ("attention_mask", c.c_void_p),
        ("batch", c.c_size_t),
        ("length", c.c_size_t),
        ("threads", c.c_int),
        ("logits", c.c_void_p),
        ("last_hidden_state", c.c_void_p),
        ("pool", c.c_void_p),
        ("profile", c.c_void_p),
        ("profile_ctx", c.c_void_p),
    ]


class Gradient(Sized):
    """reformer_tensor_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("name", c.c_char * 256),
        ("rank", c.c_int),
        ("shape", c.c_int64 * MAX_RANK),
        ("offset", c.c_size_t),
        ("elements", c.c_size_t),
    ]


class TrainReport(Sized):
    """reformer_train_report_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("loss", c.c_double),
        ("grad_norm", c.c_double),
        ("learning_rate", c.c_double),
        ("items", c.c_int64),
        ("step", c.c_int64),
        ("bad", c.c_int64),
    ]


class Sampling(Sized):
    """reformer_sampling_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("repetition_penalty", c.c_float),
        ("temperature", c.c_float),
        ("top_k", c.c_int32),
        ("top_p", c.c_float),
        ("seed", c.c_uint64),
    ]


class Generate(Sized):
    """reformer_generate_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("input_ids", c.c_void_p),
        ("attention_mask", c.c_void_p),
        ("batch", c.c_size_t),
        ("length", c.c_size_t),
        ("max_tokens", c.c_size_t),
        ("sampling", c.POINTER(Sampling)),
        ("stops", c.c_void_p),
        ("stop_lengths", c.c_void_p),
        ("n_stops", c.c_size_t),
        ("stop_at_eos", c.c_int),
        ("eos_token", c.c_int32),
        ("pad_token", c.c_int32),
        ("threads", c.c_int),
        ("pool", c.c_void_p),
        ("on_token", TokenFn),
        ("on_token_ctx", c.c_void_p),
        ("tokens", c.c_void_p),
        ("counts", c.c_void_p),
        ("ends", c.c_void_p),
        ("logits", c.c_void_p),
        ("eos_tokens", c.c_void_p),
        ("n_eos_tokens", c.c_size_t),
    ]


class Beams(Sized):
    """reformer_beams_t"""

    _fields_ = [
        ("size", c.c_size_t),
        ("beams", c.c_size_t),
        ("length_penalty", c.c_float),
        ("early_stopping", c.c_int),
        ("score", c.c_void_p),
    ]


C_NAMES: dict[type[Sized], str] = {
    Tensor: "reformerc_tensor_t",
    Options: "reformerc_options_t",
    Info: "reformerc_info_t",
    Io: "reformer_io_t",
    Decode: "reformer_decode_t",
    Gradient: "reformer_tensor_t",
    TrainReport: "reformer_train_report_t",
    Sampling: "reformer_sampling_t",
    Generate: "reformer_generate_t",
    Beams: "reformer_beams_t",
}

_P = c.c_void_p
_INT, _SIZE = c.c_int, c.c_size_t

#: Functions: what they return, what they take.
PROTOTYPES: dict[str, tuple[object, list[object]]] = {
    "reformerc_strerror": (c.c_char_p, [_INT]),
    "reformerc_version": (c.c_char_p, []),
    "reformerc_compile": (
        _INT,
        [c.POINTER(_P), c.c_char_p, c.c_char_p, c.POINTER(Options), c.POINTER(_P)],
    ),
    "reformerc_bind": (_INT, [_P, c.c_char_p, c.POINTER(_P)]),
    "reformerc_bind_tensors": (_INT, [_P, c.POINTER(Tensor), _SIZE, c.POINTER(_P)]),
    "reformerc_free": (None, [_P]),
    "reformerc_info": (_INT, [_P, c.POINTER(Info)]),
    "reformerc_context_new": (_INT, [c.POINTER(_P), _P, _INT]),
    "reformerc_context_free": (None, [_P]),
    "reformerc_context_message": (c.c_char_p, [_P]),
    "reformerc_forward": (_INT, [_P, c.POINTER(Io)]),
    "reformerc_gradients": (_INT, [_P, c.POINTER(Io), _P, _SIZE]),
    "reformerc_gradients_bytes": (_SIZE, [_P]),
    "reformerc_gradient": (_INT, [_P, _SIZE, c.POINTER(Gradient)]),
    "reformerc_trainer_new": (_INT, [c.POINTER(_P), _P]),
    "reformerc_trainer_free": (None, [_P]),
    "reformerc_train_step": (_INT, [_P, c.POINTER(Io), _SIZE, c.POINTER(TrainReport)]),
    "reformerc_trainer_tensor": (_INT, [_P, _SIZE, c.POINTER(Tensor), c.POINTER(_P)]),
    "reformerc_trainer_resume": (_INT, [_P, c.c_int64]),
    "reformerc_cache_new": (_INT, [c.POINTER(_P), _P, _SIZE, _SIZE]),
    "reformerc_cache_free": (None, [_P]),
    "reformerc_prefill": (_INT, [_P, c.POINTER(Decode)]),
    "reformerc_step": (_INT, [_P, c.POINTER(Decode)]),
    "reformerc_cache_copy_row": (_INT, [_P, _SIZE, _SIZE]),
    "reformerc_cache_tokens": (_SIZE, [_P, _SIZE]),
    "reformerc_sample": (
        _INT,
        [_P, c.POINTER(Sampling), _P, _P, _SIZE, c.c_uint64, c.c_uint64, c.POINTER(c.c_int32)],
    ),
    "reformerc_generate": (_INT, [_P, c.POINTER(Generate)]),
    "reformerc_beam_search": (_INT, [_P, c.POINTER(Generate), c.POINTER(Beams)]),
    "reformerc_text": (c.c_char_p, [_P]),
    "reformerc_end_token": (c.c_int64, [_P, _SIZE]),
}
