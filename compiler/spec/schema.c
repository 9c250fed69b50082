/* schema.def expanded into its table, and the words that some keys take. */
#include "spec/schema.h"

#include <math.h>
#include <string.h>

const word_t act_words[] = {{"relu", ACT_RELU},
                            {"gelu", ACT_GELU},
                            {"gelu_new", ACT_GELU_NEW},
                            {"silu", ACT_SILU},
                            {"swish", ACT_SILU},
                            {"gelu_10", ACT_GELU_10},
                            {"gelu_fast", ACT_GELU_FAST},
                            {"gelu_python", ACT_GELU_PYTHON},
                            {"gelu_pytorch_tanh", ACT_GELU_PYTORCH_TANH},
                            {"quick_gelu", ACT_QUICK_GELU},
                            {"mish", ACT_MISH},
                            {"linear", ACT_LINEAR},
                            {"relu6", ACT_RELU6},
                            {"sigmoid", ACT_SIGMOID},
                            {"tanh", ACT_TANH},
                            {"gelu_accurate", ACT_GELU_NEW},
                            {"gelu_python_tanh", ACT_GELU_NEW},
                            {"leaky_relu", ACT_LEAKY_RELU},
                            {"relu2", ACT_RELU2},
                            {"laplace", ACT_LAPLACE},
                            {"hardswish", ACT_HARDSWISH},
                            {"sqrtsoftplus", ACT_SQRTSOFTPLUS},
                            {NULL, 0}};
const word_t architecture_words[] = {{"ReformerModel", ARCH_BASE},
                                     {"ReformerModelWithLMHead", ARCH_CAUSAL_LM},
                                     {"ReformerForMaskedLM", ARCH_MASKED_LM},
                                     {"ReformerForSequenceClassification", ARCH_CLASSIFIER},
                                     {"ReformerForQuestionAnswering", ARCH_QA},
                                     {NULL, 0}};
const word_t layer_words[] = {{"local", LAYER_LOCAL}, {"lsh", LAYER_LSH}, {NULL, 0}};
const word_t problem_words[] = {{"null", PROBLEM_UNSET},
                                {"regression", PROBLEM_REGRESSION},
                                {"single_label_classification", PROBLEM_SINGLE_LABEL},
                                {"multi_label_classification", PROBLEM_MULTI_LABEL},
                                {NULL, 0}};
const word_t dtype_words[] = {
    {"float32", DTYPE_FLOAT32}, {"bfloat16", DTYPE_BFLOAT16}, {"int8", DTYPE_INT8}, {NULL, 0}};
const word_t train_dtype_words[] = {
    {"float32", DTYPE_FLOAT32}, {"bfloat16", DTYPE_BFLOAT16}, {NULL, 0}};
const word_t decode_words[] = {
    {"corrected", DECODE_CORRECTED}, {"huggingface", DECODE_HUGGINGFACE}, {NULL, 0}};
const word_t target_words[] = {
    {"x86-64", 0},         {"x86-64-v3", 1},      {"x86-64-v4", 2}, {"x86-64-v3+vnni", 3},
    {"x86-64-v4+vnni", 4}, {"x86-64-v4+bf16", 5}, {"aarch64", 6},   {"aarch64+bf16", 7},
    {"wasm32", 8},         {"native", 9},         {NULL, 0}};
const word_t length_words[] = {{"dynamic", LENGTH_DYNAMIC}, {NULL, 0}};
const word_t optimizer_words[] = {{"adamw", REFORMER_ADAMW},
                                  {"adam", REFORMER_ADAM},
                                  {"sgd", REFORMER_SGD},
                                  {"adafactor", REFORMER_ADAFACTOR},
                                  {NULL, 0}};
const word_t schedule_words[] = {{"none", REFORMER_SCHEDULE_NONE},
                                 {"constant", REFORMER_SCHEDULE_CONSTANT},
                                 {"linear", REFORMER_SCHEDULE_LINEAR},
                                 {"cosine", REFORMER_SCHEDULE_COSINE},
                                 {"inverse_sqrt", REFORMER_SCHEDULE_INVERSE_SQRT},
                                 {"polynomial", REFORMER_SCHEDULE_POLYNOMIAL},
                                 {"wsd", REFORMER_SCHEDULE_WSD},
                                 {"multifactor", REFORMER_SCHEDULE_MULTIFACTOR},
                                 {NULL, 0}};
const word_t factor_words[] = {{"constant", REFORMER_FACTOR_CONSTANT},
                               {"linear_warmup", REFORMER_FACTOR_LINEAR_WARMUP},
                               {"rsqrt_decay", REFORMER_FACTOR_RSQRT_DECAY},
                               {"rsqrt_normalized_decay", REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY},
                               {"decay_every", REFORMER_FACTOR_DECAY_EVERY},
                               {"cosine_decay", REFORMER_FACTOR_COSINE_DECAY},
                               {"two_constants", REFORMER_FACTOR_TWO_CONSTANTS},
                               {NULL, 0}};
const word_t byte_units[] = {{"B", 1},           {"kB", 1e3},           {"MB", 1e6},
                             {"GB", 1e9},        {"TB", 1e12},          {"KiB", 1024.0},
                             {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
                             {NULL, 0}};
const word_t flop_units[] = {{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {NULL, 0}};

const char *const sections[] = {
    "", "extensions", "compile", "train", "train.optimizer", "train.schedule", "expect", NULL};

bool is_nested(const char *section) {
    return strchr(section, '.') != NULL;
}

const char *section_inside(const char *outer, const char *name) {
    size_t n = strlen(outer);
    for (int i = 1; sections[i]; i++) {
        bool nested = is_nested(sections[i]);
        if (n == 0 && !nested && strcmp(sections[i], name) == 0) return sections[i];
        if (n && nested && strncmp(sections[i], outer, n) == 0 && sections[i][n] == '.' &&
            strcmp(sections[i] + n + 1, name) == 0)
            return sections[i];
    }
    return NULL;
}

/* Sections are written compile_ in schema.def, so that enumerators read KEY_compile_name. */
#define SECTION_                 ""
#define SECTION_extensions_      "extensions"
#define SECTION_compile_         "compile"
#define SECTION_train_           "train"
#define SECTION_train_optimizer_ "train.optimizer"
#define SECTION_train_schedule_  "train.schedule"
#define SECTION_expect_          "expect"
#define DOT_                     ""
#define DOT_extensions_          "extensions."
#define DOT_compile_             "compile."
#define DOT_train_               "train."
#define DOT_train_optimizer_     "train.optimizer."
#define DOT_train_schedule_      "train.schedule."
#define DOT_expect_              "expect."

#define AT(member)          offsetof(spec_t, member), NO_PLACE
#define WITH(member, has)   offsetof(spec_t, member), offsetof(spec_t, has)
#define LIST(member, count) offsetof(spec_t, member), offsetof(spec_t, count)
#define NONE                NO_PLACE, NO_PLACE

const key_info_t schema[KEY_COUNT] = {
#define KEY(section, key, kind, role, place, low, high, words, standard, doc)                      \
    [KEY_##section##key] = {SECTION_##section,                                                     \
                            #key,                                                                  \
                            DOT_##section #key,                                                    \
                            KIND_##kind,                                                           \
                            ROLE_##role,                                                           \
                            place,                                                                 \
                            low,                                                                   \
                            high,                                                                  \
                            words,                                                                 \
                            standard,                                                              \
                            doc},
#include "spec/schema.def"
#undef KEY
};

spec_key_t schema_find(const char *section, const char *name) {
    for (int k = 0; k < KEY_COUNT; k++)
        if (strcmp(schema[k].section, section) == 0 && strcmp(schema[k].name, name) == 0)
            return (spec_key_t)k;
    return KEY_COUNT;
}

const char *word_of(const word_t *words, double value) {
    for (; words->word; words++)
        if (words->value == value) return words->word;
    return NULL;
}

const char *arch_hf_name(arch_t a) {
    return word_of(architecture_words, a);
}

const char *act_name(act_t a) {
    return word_of(act_words, a);
}

const char *dtype_name(dtype_t d) {
    return word_of(dtype_words, d);
}
