/* The next token: example MODEL WEIGHTS ID… compiles a causal language model and prints the likeliest id after these, and
 * what it writes behind them. example.c in C++. */
#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include <reformerc.hpp>

static void write(int argc, char **argv) {
    reformerc_options_t options = reformerc::weights(argv[2]);
    options.decode = 1;
    reformerc::Model compiled(argv[1], options);
    reformerc::Model model(std::move(compiled));
    std::vector<int32_t> ids;
    for (int i = 3; i < argc; i++) ids.push_back(std::stoi(argv[i]));

    const auto vocab = static_cast<std::size_t>(model.info().vocab);
    std::vector<float> logits(ids.size() * vocab);
    reformerc::Context context(model, 2);
    reformer_io_t io = reformerc::io(ids.data(), 1, ids.size());
    io.logits = logits.data();
    context.forward(io);
    const float *last = logits.data() + (ids.size() - 1) * vocab;
    std::cout << std::max_element(last, last + vocab) - last << '\n';

    std::vector<int32_t> tokens(8);
    reformerc::Cache cache(context, ids.size() + tokens.size(), ids.size());
    cache.generate(reformerc::generate(ids.data(), ids.size(), tokens.size(), tokens.data()));
    for (int32_t token : tokens) std::cout << token << ' ';
    std::cout << '\n';
}

int main(int argc, char **argv) {
    if (argc < 4) return std::cerr << "usage: example MODEL WEIGHTS ID...\n", 2;
    try {
        write(argc, argv);
    } catch (const reformerc::Error &e) {
        return std::cerr << e.code() << ": " << e.what() << '\n', 1;
    }
}
