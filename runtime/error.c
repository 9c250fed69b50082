/* Error codes in words. In: a REFORMER_E_* value. Out: static text, the same in every release for
 * the same code (products match on codes, people read the text). And which release this is. */
#include "reformer_rt.h"

static const char *const messages[] = {
    [REFORMER_OK] = "ok",
    [REFORMER_E_ARGUMENT] = "an argument is missing or contradicts another",
    [REFORMER_E_TOKEN] = "an input id is negative or not below the vocabulary size",
    [REFORMER_E_LENGTH] = "the length is 0 or longer than the model was compiled for",
    [REFORMER_E_BATCH] = "more rows than the model was compiled for",
    [REFORMER_E_LABEL] = "a label is neither -100 nor a class of this model",
    [REFORMER_E_CPU] = "this CPU lacks the features the model was compiled for",
    [REFORMER_E_WEIGHTS] = "not a weights file of this model, or truncated",
    [REFORMER_E_VERSION] = "weights file or model of another version: compile both again",
    [REFORMER_E_FINGERPRINT] = "these weights belong to another model, or to another compile.dtype",
    [REFORMER_E_ALIGNMENT] = "weights or workspace are not aligned to 64 bytes",
    [REFORMER_E_CHECKSUM] = "the weights are damaged: checksum differs",
    [REFORMER_E_NAN] = "the weights hold a NaN or an infinity",
    [REFORMER_E_OUTPUT] = "an output was asked for that this model does not have",
    [REFORMER_E_CACHE] = "the cache is not initialised, damaged, or another model's",
    [REFORMER_E_FULL] = "a row of the cache has no room for another token",
    [REFORMER_E_EMPTY] = "a row of the cache holds no token yet: prefill it first",
    [REFORMER_E_DECODE] = "this model does not generate text",
    [REFORMER_E_LOGITS] = "the logits hold a NaN or an infinity, or rule out every token",
    [REFORMER_E_TRAIN] = "this model gives no gradients",
    [REFORMER_E_POSITION] = "a row begins or ends outside of the model's positions",
    [REFORMER_E_DIVERGED] = "the gradient holds a NaN or an infinity",
    [REFORMER_E_WORKSPACE] = "the workspace, or other memory of the caller's, is too small",
    [REFORMER_E_SIZE] = "a structure's size is not set, or is another version's",
    [REFORMER_E_MODEL] = "the model or trainer belongs to another spec",
};

const char *reformer_version(void) {
    return REFORMER_VERSION;
}

uint32_t reformer_abi(void) {
    return REFORMER_ABI;
}

const char *reformer_strerror(int code) {
    int known = (int)(sizeof messages / sizeof *messages);
    return code >= 0 && code < known && messages[code] ? messages[code] : "unknown error code";
}
