/* Words that cannot be a prefix's whole name: keywords of C11, C23 and C++20, alternative
 * tokens. */
#include <string.h>

#include "spec/spec.h"

static const char keywords[] =
    " alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto"
    " bitand bitor bool break case catch char char16_t char32_t char8_t class co_await"
    " co_return co_yield compl concept const const_cast consteval constexpr constinit"
    " continue decltype default delete do double dynamic_cast else enum explicit export"
    " extern false float for friend goto if inline int long mutable namespace new noexcept"
    " not not_eq nullptr operator or or_eq private protected public register"
    " reinterpret_cast requires restrict return short signed sizeof static static_assert"
    " static_cast struct switch synchronized template this thread_local throw true try"
    " typedef typeid typename typeof typeof_unqual union unsigned using virtual void"
    " volatile wchar_t while xor xor_eq ";

bool is_c_keyword(const char *word) {
    size_t n = strlen(word);
    if (n == 0 || strchr(word, ' ')) return false;
    for (const char *p = keywords; (p = strstr(p, word)); p++)
        if (p[-1] == ' ' && p[n] == ' ') return true;
    return false;
}
