/* reformerc.h for C++11 and later: what it opens closes itself, codes are exceptions. No more than that: structures, shapes
 * and what calls promise are reformerc.h's.
 *
 *     reformerc::Model model("model.yaml", reformerc::weights("model.safetensors"));
 *     reformerc::Context context(model, 4);
 *     reformer_io_t io = reformerc::io(ids, 1, n);
 *     io.logits = logits;
 *     context.forward(io);
 *
 * A model outlives its contexts, a context its caches and its trainer. All of them may be moved, none copied. */
#ifndef REFORMERC_HPP
#define REFORMERC_HPP

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "reformerc.h"

namespace reformerc {

class Error : public std::runtime_error {
  public:
    Error(int code, const std::string &text) : std::runtime_error(text), code_(code) {}
    int code() const noexcept {
        return code_;
    }

  private:
    int code_;
};

/* ---- structures with what they need ----------------------------------------------------------- */

/* Zeros but for its size, which the library compares with its own. */
template <typename T> T sized() {
    T t = T();
    t.size = sizeof t;
    return t;
}

inline reformerc_options_t options() {
    return sized<reformerc_options_t>();
}

inline reformerc_options_t weights(const char *path) {
    reformerc_options_t o = options();
    o.weights = path;
    return o;
}

inline reformer_io_t io(const int32_t *input_ids, std::size_t batch, std::size_t length) {
    reformer_io_t io = sized<reformer_io_t>();
    io.input_ids = input_ids;
    io.batch = batch;
    io.length = length;
    return io;
}

/* Of a prefill; of a step length is 0. */
inline reformer_decode_t decode(const int32_t *input_ids, std::size_t batch, std::size_t length,
                                float *logits) {
    reformer_decode_t io = sized<reformer_decode_t>();
    io.input_ids = input_ids;
    io.batch = batch;
    io.length = length;
    io.logits = logits;
    return io;
}

inline reformer_generate_t generate(const int32_t *prompt, std::size_t length,
                                    std::size_t max_tokens, int32_t *tokens) {
    reformer_generate_t g = sized<reformer_generate_t>();
    g.input_ids = prompt;
    g.batch = 1;
    g.length = length;
    g.max_tokens = max_tokens;
    g.tokens = tokens;
    return g;
}

/* ---- what closes itself ------------------------------------------------------------------------- */

namespace detail {
template <typename T, void (*Free)(T *)> struct Freer {
    void operator()(T *p) const noexcept {
        Free(p);
    }
};
template <typename T, void (*Free)(T *)> using Owner = std::unique_ptr<T, Freer<T, Free>>;

/* The text of a message that is ours to free. */
inline std::string take(char *message) {
    std::string text(message ? message : "");
    std::free(message);
    return text;
}

inline void check(int code, const std::string &text) {
    if (code != REFORMER_OK) throw Error(code, text.empty() ? reformerc_strerror(code) : text);
}

inline void check(int code, const reformerc_context_t *c) {
    if (code == REFORMER_OK) return;
    const char *text = reformerc_context_message(c);
    throw Error(code, text ? text : reformerc_strerror(code));
}
} // namespace detail

class Model {
  public:
    /* A spec's path, or a checkpoint folder. */
    explicit Model(const char *path, const reformerc_options_t &o = options()) {
        open(path, nullptr, o);
    }
    /* The text of a spec, and its name in messages. */
    static Model of_text(const char *text, const reformerc_options_t &o = options(),
                         const char *name = nullptr) {
        Model m;
        m.open(name, text, o);
        return m;
    }

    const std::string &warnings() const noexcept {
        return warnings_;
    }
    void bind(const char *path) {
        char *message = nullptr;
        const int code = reformerc_bind(get(), path, &message);
        detail::check(code, detail::take(message));
    }
    void bind(const reformerc_tensor_t *tensors, std::size_t n) {
        char *message = nullptr;
        const int code = reformerc_bind_tensors(get(), tensors, n, &message);
        detail::check(code, detail::take(message));
    }
    reformerc_info_t info() const {
        reformerc_info_t i = sized<reformerc_info_t>();
        detail::check(reformerc_info(get(), &i), std::string());
        return i;
    }
    reformerc_model_t *get() const noexcept {
        return model_.get();
    }

  private:
    Model() = default;
    void open(const char *path, const char *text, const reformerc_options_t &o) {
        reformerc_model_t *made = nullptr;
        char *message = nullptr;
        const int code = reformerc_compile(&made, path, text, &o, &message);
        model_.reset(made);
        warnings_ = detail::take(message);
        detail::check(code, warnings_);
    }

    detail::Owner<reformerc_model_t, reformerc_free> model_;
    std::string warnings_;
};

class Context {
  public:
    explicit Context(const Model &m, int threads = 1) {
        reformerc_context_t *made = nullptr;
        const int code = reformerc_context_new(&made, m.get(), threads);
        context_.reset(made);
        detail::check(code, std::string());
    }

    void reserve(std::size_t length) {
        check(reformerc_reserve(get(), length));
    }
    void forward(const reformer_io_t &io) {
        check(reformerc_forward(get(), &io));
    }
    int32_t sample(const reformer_sampling_t &s, const float *logits, const int32_t *history,
                   std::size_t n_history, uint64_t row, uint64_t step) {
        int32_t token = 0;
        check(reformerc_sample(get(), &s, logits, history, n_history, row, step, &token));
        return token;
    }
    void check(int code) const {
        detail::check(code, get());
    }
    reformerc_context_t *get() const noexcept {
        return context_.get();
    }

  private:
    detail::Owner<reformerc_context_t, reformerc_context_free> context_;
};

class Cache {
  public:
    Cache(Context &c, std::size_t length, std::size_t prompt) : context_(c.get()) {
        reformerc_cache_t *made = nullptr;
        const int code = reformerc_cache_new(&made, c.get(), length, prompt);
        cache_.reset(made);
        check(code);
    }

    void prefill(const reformer_decode_t &io) {
        check(reformerc_prefill(get(), &io));
    }
    void step(const reformer_decode_t &io) {
        check(reformerc_step(get(), &io));
    }
    void copy_row(std::size_t from, std::size_t to) {
        check(reformerc_cache_copy_row(get(), from, to));
    }
    std::size_t tokens(std::size_t row) const {
        return reformerc_cache_tokens(get(), row);
    }
    void generate(const reformer_generate_t &g) {
        check(reformerc_generate(get(), &g));
    }
    void beam_search(const reformer_generate_t &g, const reformer_beams_t &b) {
        check(reformerc_beam_search(get(), &g, &b));
    }
    reformerc_cache_t *get() const noexcept {
        return cache_.get();
    }

  private:
    void check(int code) const {
        detail::check(code, context_);
    }
    reformerc_context_t *context_;
    detail::Owner<reformerc_cache_t, reformerc_cache_free> cache_;
};

class Trainer {
  public:
    explicit Trainer(Context &c) : context_(c.get()) {
        reformerc_trainer_t *made = nullptr;
        const int code = reformerc_trainer_new(&made, c.get());
        trainer_.reset(made);
        check(code);
    }

    reformer_train_report_t step(const reformer_io_t *io, std::size_t n = 1) {
        reformer_train_report_t report = sized<reformer_train_report_t>();
        check(reformerc_train_step(get(), io, n, &report));
        return report;
    }
    /* Array number i, to read or to write; false: there are fewer. */
    bool tensor(std::size_t i, reformerc_tensor_t &tensor, float **data = nullptr) const {
        tensor = sized<reformerc_tensor_t>();
        return reformerc_trainer_tensor(get(), i, &tensor, data) == REFORMER_OK;
    }
    void resume(int64_t step) {
        check(reformerc_trainer_resume(get(), step));
    }
    reformerc_trainer_t *get() const noexcept {
        return trainer_.get();
    }

  private:
    void check(int code) const {
        detail::check(code, context_);
    }
    reformerc_context_t *context_;
    detail::Owner<reformerc_trainer_t, reformerc_trainer_free> trainer_;
};

} // namespace reformerc
#endif
