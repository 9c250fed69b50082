/* SentencePiece for text.c: a thin layer of C over the library, and a module of the program. The only
 * C++ of the project, since the library speaks no C; no exception leaves it. */
#include <sentencepiece_processor.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
#include "text/sentencepiece.h"
}

struct pieces {
    sentencepiece::SentencePieceProcessor library;
    bool rewrites = false;
    bool unknown_is_empty = false;
};

/* ---- the model ---------------------------------------------------------------------------------- */

namespace {

/* The value of a protobuf field of type bytes, the last one of its number; empty: there is none. The
 * library has read the message before, so its form is right; it does not tell what stands in it. */
class Message {
  public:
    explicit Message(std::string_view bytes) : rest(bytes) {}

    std::string_view field(uint64_t number) {
        std::string_view found;
        while (!rest.empty()) {
            uint64_t key = varint();
            std::string_view value = skip(key & 7);
            if (key == (number << 3 | LENGTH)) found = value;
        }
        return found;
    }

  private:
    enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
    std::string_view rest;

    uint64_t varint() {
        uint64_t value = 0;
        for (int shift = 0; !rest.empty() && shift < 64; shift += 7) {
            unsigned char c = static_cast<unsigned char>(rest.front());
            rest.remove_prefix(1);
            value |= static_cast<uint64_t>(c & 0x7F) << shift;
            if (c < 0x80) break;
        }
        return value;
    }

    std::string_view take(uint64_t n) {
        std::string_view value = rest.substr(0, n);
        rest.remove_prefix(value.size());
        return value;
    }

    std::string_view skip(uint64_t type) {
        switch (type) {
        case VARINT: varint(); return {};
        case FIXED64: return take(8);
        case LENGTH: return take(varint());
        case FIXED32: return take(4);
        default: return take(rest.size()); /* groups: proto2 wrote none here */
        }
    }
};

/* ModelProto.denormalizer_spec.precompiled_charsmap */
bool has_denormalizer(std::string_view model) {
    return !Message(Message(model).field(5)).field(2).empty();
}

void say(char *why, const char *text) {
    std::snprintf(why, PIECES_WHY, "%s", text);
}

/* For what the library throws, which is little more than out of memory. */
void tell(char *why) {
    try {
        throw;
    } catch (const std::exception &e) {
        say(why, e.what());
    } catch (...) {
        say(why, "unknown exception");
    }
}

bool good(const sentencepiece::util::Status &status, char *why) {
    if (!status.ok()) say(why, status.error_message());
    return status.ok();
}

template <typename T> T *array(size_t n) {
    void *p = std::malloc((n ? n : 1) * sizeof(T));
    if (!p) throw std::bad_alloc();
    return static_cast<T *>(p);
}

pieces_t *open_model(const char *model, size_t bytes, char *why) {
    try {
        auto p = std::make_unique<pieces>();
        std::string_view content(model, bytes);
        if (!good(p->library.LoadFromSerializedProto(content), why)) return nullptr;
        p->rewrites = has_denormalizer(content);
        std::string unknown;
        if (!good(p->library.Decode(std::vector<int>{p->library.unk_id()}, &unknown), why))
            return nullptr;
        p->unknown_is_empty = unknown.empty();
        return p.release();
    } catch (...) {
        tell(why);
        return nullptr;
    }
}

void free_model(pieces_t *p) {
    delete p;
}

int64_t count_pieces(const pieces_t *p) {
    return p->library.GetPieceSize();
}

token_piece_t kind_of(const pieces_t *p, int32_t id, char *byte) {
    if (id < 0 || id >= p->library.GetPieceSize()) return PIECE_NONE;
    if (p->library.IsControl(id)) return PIECE_EMPTY;
    if (p->library.IsUnknown(id)) return p->unknown_is_empty ? PIECE_EMPTY : PIECE_TEXT;
    if (!p->library.IsByte(id)) return PIECE_TEXT;
    /* <0x41> */
    *byte = static_cast<char>(std::strtol(p->library.IdToPiece(id).c_str() + 1, nullptr, 16));
    return PIECE_BYTE;
}

bool rewrites(const pieces_t *p) {
    return p->rewrites;
}

/* ---- text --------------------------------------------------------------------------------------- */

int64_t encode(const pieces_t *p, const char *text, size_t bytes, int32_t **ids, int64_t **ends,
               char *why) {
    *ids = nullptr;
    *ends = nullptr;
    try {
        if (bytes > INT_MAX) { /* the library counts in 32 bits */
            say(why, "text of more than 2 GiB");
            return -1;
        }
        sentencepiece::ImmutableSentencePieceText found;
        std::string_view all(text, bytes);
        if (!good(p->library.Encode(all, found.mutable_proto()), why)) return -1;
        size_t n = found.pieces_size();
        *ids = array<int32_t>(n);
        *ends = array<int64_t>(n);
        for (size_t i = 0; i < n; i++) {
            auto piece = found.pieces(static_cast<int>(i));
            (*ids)[i] = static_cast<int32_t>(piece.id());
            (*ends)[i] = piece.end();
        }
        return static_cast<int64_t>(n);
    } catch (...) {
        std::free(*ids);
        *ids = nullptr;
        tell(why);
        return -1;
    }
}

char *decode(const pieces_t *p, const int32_t *ids, int64_t n, size_t *bytes, char *why) {
    try {
        std::vector<int> known;
        known.reserve(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; i++)
            if (ids[i] >= 0 && ids[i] < p->library.GetPieceSize()) known.push_back(ids[i]);
        std::string text;
        if (!good(p->library.Decode(known, &text), why)) return nullptr;
        char *out = array<char>(text.size());
        std::memcpy(out, text.data(), text.size());
        *bytes = text.size();
        return out;
    } catch (...) {
        tell(why);
        return nullptr;
    }
}

} // namespace

extern "C" {
MODULE_TABLE extern const pieces_library_t reformerc_module;
const pieces_library_t reformerc_module = {
    {REFORMERC_MODULE_VERSION},
    open_model,
    free_model,
    count_pieces,
    kind_of,
    rewrites,
    encode,
    decode,
};
}
