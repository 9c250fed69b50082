// The product of product.c in C++: weights read into aligned memory, its own threads as the pool.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "product.h"

// Worker w does every i with i % workers == w.
static void parallel_for(void *, int64_t n, int workers, void (*body)(void *, int64_t, int),
                         void *arg) {
    std::vector<std::thread> pool;
    for (int w = 0; w < workers; w++)
        pool.emplace_back([=] {
            for (int64_t i = w; i < n; i += workers) body(arg, i, w);
        });
    for (auto &t : pool) t.join();
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    void *weights = std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64);
    if (!weights) return 2;
    std::copy(bytes.begin(), bytes.end(), static_cast<char *>(weights));

    product_t model{};
    if (product_bind(&model, weights, bytes.size()) != 0) return 1;
    std::vector<int32_t> ids;
    for (int i = 2; i < argc; i++) ids.push_back(std::stoi(argv[i]));
    constexpr std::size_t vocab = 258;
    std::vector<float> logits(ids.size() * vocab);
    reformer_pool_t pool{sizeof pool, nullptr, parallel_for};
    product_io_t io{};
    io.size = sizeof io;
    io.input_ids = ids.data();
    io.batch = 1;
    io.length = ids.size();
    io.threads = 3;
    io.logits = logits.data();
    io.pool = &pool;
    std::size_t room = product_workspace_bytes(io.length, 3);
    void *workspace = std::aligned_alloc(64, (room + 63) / 64 * 64);
    if (!workspace || product_forward(&model, &io, workspace, room) != 0) return 1;
    for (std::size_t v = 0; v < vocab; v++)
        std::printf("%a\n", double(logits[(ids.size() - 1) * vocab + v]));
    std::free(workspace);
    std::free(weights);
}
