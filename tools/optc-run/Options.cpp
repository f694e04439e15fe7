//===- Options.cpp - The command line of optc-run -------------------------===//

#include "tools/optc-run/Options.h"
#include "runtime/ThreadPool.h"
#define CXXOPTS_VECTOR_DELIMITER '\0' // a name in --shape may have a comma
#include <algorithm>
#include <charconv>
#include <cxxopts.hpp>
#include <numeric>

using namespace optc;

namespace {

using Mode = Options::Mode;
constexpr unsigned bit(Mode mode) { return 1u << unsigned(mode); }
constexpr unsigned kTimed = bit(Mode::bench) | bit(Mode::profile) | bit(Mode::versus);
constexpr unsigned kRuns = kTimed | bit(Mode::run);

/// In which modes a flag has an effect, and what is missing otherwise.
struct Scope {
  const char *flag;
  unsigned modes;
  const char *needs;
};
constexpr Scope kScopes[] = {
    {"inputs", kRuns, "--outputs, --expected, --bench, --profile or --vs"},
    {"threads", kRuns, "--outputs, --expected, --bench, --profile or --vs"},
    {"gpu", kRuns, "--outputs, --expected, --bench, --profile or --vs"},
    {"in-gpu-memory", bit(Mode::bench) | bit(Mode::profile), "--bench or --profile"},
    {"rtol", bit(Mode::run), "--expected"},
    {"atol", bit(Mode::run), "--expected"},
    {"format", bit(Mode::run), "--outputs"},
    {"json", bit(Mode::run) | bit(Mode::bench) | bit(Mode::versus), "--bench, --expected or --vs"},
    {"seconds", kTimed, "--bench, --profile or --vs"},
    {"shape", kTimed, "--bench, --profile or --vs"},
    {"seed", kTimed, "--bench, --profile or --vs"},
    {"price-per-hour", bit(Mode::bench), "--bench"},
    {"max-ratio", bit(Mode::versus), "--vs"},
    {"max-error", bit(Mode::versus), "--vs"},
};

cxxopts::Options declare() {
  cxxopts::Options flags("optc-run", "Runs, checks and measures a model that optc compiled.\n");
  flags.custom_help("MODEL.so [flags]").positional_help("").show_positional_help();
  auto text = [] { return cxxopts::value<std::string>(); };
  flags.add_options("Run")                                                                            //
      ("inputs", "folder of input_I.pb, input_I.npy or NAME.npy, or one .npz", text(), "DIR")         //
      ("outputs", "write output_0.pb ... there", text(), "DIR")                                       //
      ("format", "of the outputs: pb (default), npy or npz", text(), "F")                             //
      ("expected", "compare the outputs with those there; exit 3 when one is outside", text(), "DIR") //
      ("rtol", "|a-b| <= atol + rtol*|b| (default 1e-3)", text(), "R")                                //
      ("atol", "(default 1e-7)", text(), "A")                                                         //
      ("threads", "(default: the cores this process may use)", text(), "N")                           //
      ("gpu", "of models for GPUs: which, from 0 on (default 0)", text(), "N");
  flags.add_options("Measure")                                                                  //
      ("bench", "latency, throughput, memory; random inputs unless --inputs is given")          //
      ("profile", "time by step: a table, and a Chrome trace in FILE", text(), "FILE")          //
      ("vs", "run another compilation of the model in turns with this one", text(), "MODEL.so") //
      ("seconds", "how long to measure after the warm-up (default 3)", text(), "S")             //
      ("shape", "of a random input; dynamic dims are 1 otherwise", cxxopts::value<std::vector<std::string>>(),
       "NAME=1x3x224x224")                                                                          //
      ("seed", "of random inputs (default 0)", text(), "N")                                         //
      ("in-gpu-memory", "inputs and outputs stay in the GPU's memory: no copies are measured")      //
      ("price-per-hour", "adds the cost of 1,000 runs", text(), "P")                                //
      ("max-ratio", "exit 3 when this model takes more than X times the other's time", text(), "X") //
      ("max-error", "exit 3 when |a-b|/|b| (2-norms) of an output is above E, e.g. 0.5%", text(), "E");
  flags.add_options("Tell")                            //
      ("report", "print the compiler's report (JSON)") //
      ("json", "one line of JSON instead of a table")  //
      ("h,help", "print this")("version", "print the version");
  flags.add_options("Model")("model", "", text(), "");
  flags.parse_positional({"model"});
  return flags;
}

size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// cxxopts would say only that the flag does not exist.
Error checkNames(const cxxopts::Options &flags, int argc, const char *const *argv) {
  std::vector<std::string> names;
  for (const std::string &group : flags.groups())
    for (const auto &option : flags.group_help(group).options)
      for (const std::string &name : option.l)
        if (name != "model")
          names.push_back(name);
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (!word.starts_with("--") || word == "--")
      continue;
    std::string name(
        word.substr(2, word.find('=') == std::string_view::npos ? word.npos : word.find('=') - 2));
    if (std::find(names.begin(), names.end(), name) != names.end())
      continue;
    auto nearest = std::min_element(names.begin(), names.end(), [&](auto &a, auto &b) {
      return editDistance(name, a) < editDistance(name, b);
    });
    return Error::usage("unknown flag --" + name, editDistance(name, *nearest) <= 2
                                                      ? "did you mean --" + *nearest + "?"
                                                      : "optc-run --help lists the flags");
  }
  return Error::success();
}

template <typename T> bool parseNumber(std::string_view text, T &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

template <typename T>
Error numberIn(const cxxopts::ParseResult &parsed, const char *flag, T least, T most, T &value) {
  if (!parsed.count(flag))
    return Error::success();
  const std::string &text = parsed[flag].as<std::string>();
  if (parseNumber(text, value) && value >= least && value <= most)
    return Error::success();
  return Error::usage("--" + std::string(flag) + "=" + text + " is not a number in its range");
}

/// A fraction, or a percentage with its sign.
Error fractionIn(const cxxopts::ParseResult &parsed, const char *flag, std::optional<double> &value) {
  if (!parsed.count(flag))
    return Error::success();
  std::string text = parsed[flag].as<std::string>();
  bool percent = text.ends_with('%');
  double number;
  if (!parseNumber(std::string_view(text).substr(0, text.size() - percent), number) || !(number >= 0))
    return Error::usage("--" + std::string(flag) + "=" + text + " is neither a number nor a percentage");
  value = percent ? number / 100 : number;
  return Error::success();
}

/// NAME=1x3x224x224, split at the last '='; a scalar's shape is empty.
Error parseShape(const std::string &text, Options &options) {
  size_t split = text.rfind('=');
  if (split == std::string::npos || split == 0)
    return Error::usage("--shape=" + text + " has no NAME=", "for example --shape=input=1x3x224x224");
  std::vector<int64_t> dims;
  std::string_view rest = std::string_view(text).substr(split + 1);
  while (!rest.empty()) {
    size_t end = std::min(rest.find('x'), rest.size());
    int64_t d;
    if (!parseNumber(rest.substr(0, end), d) || d < 0 || end + 1 == rest.size())
      return Error::usage("--shape=" + text + " is not a list of sizes",
                          "for example --shape=input=1x3x224x224");
    dims.push_back(d);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  options.shapes[text.substr(0, split)] = dims;
  return Error::success();
}

/// The flags that choose a mode exclude each other; --outputs and --expected are one.
Error chooseMode(const cxxopts::ParseResult &parsed, Mode &mode) {
  std::string chosen;
  for (auto [flag, its] : std::initializer_list<std::pair<const char *, Mode>>{{"outputs", Mode::run},
                                                                               {"expected", Mode::run},
                                                                               {"bench", Mode::bench},
                                                                               {"profile", Mode::profile},
                                                                               {"vs", Mode::versus},
                                                                               {"report", Mode::report}}) {
    if (!parsed.count(flag))
      continue;
    if (!chosen.empty() && its != mode)
      return Error::usage("--" + chosen + " and --" + flag + " exclude each other", "run optc-run twice");
    chosen = flag;
    mode = its;
  }
  return Error::success();
}

Error checkScopes(const cxxopts::ParseResult &parsed, Mode mode) {
  for (const Scope &scope : kScopes)
    if (parsed.count(scope.flag) && !(scope.modes & bit(mode)))
      return Error::usage("--" + std::string(scope.flag) + " has no effect here",
                          "it goes with " + std::string(scope.needs));
  for (const char *flag : {"rtol", "atol", "json"})
    if (mode == Mode::run && parsed.count(flag) && !parsed.count("expected"))
      return Error::usage("--" + std::string(flag) + " has no effect here", "it goes with --expected");
  if (parsed.count("format") && !parsed.count("outputs"))
    return Error::usage("--format has no effect here", "it goes with --outputs");
  for (const char *flag : {"shape", "seed"})
    if (parsed.count(flag) && parsed.count("inputs"))
      return Error::usage("--" + std::string(flag) + " has no effect here",
                          "it is for random inputs, without --inputs");
  return Error::success();
}

Error fill(const cxxopts::ParseResult &parsed, Options &options) {
  if (!parsed.count("model"))
    return Error::usage("no model given", "optc-run MODEL.so");
  if (!parsed.unmatched().empty())
    return Error::usage("'" + parsed.unmatched().front() + "' is one model too many",
                        "optc-run a.so --vs b.so compares two");
  if (Error error = chooseMode(parsed, options.mode))
    return error;
  if (Error error = checkScopes(parsed, options.mode))
    return error;
  for (auto [flag, target] :
       std::initializer_list<std::pair<const char *, std::string *>>{{"model", &options.model},
                                                                     {"vs", &options.other},
                                                                     {"inputs", &options.inputs},
                                                                     {"outputs", &options.outputs},
                                                                     {"expected", &options.expected},
                                                                     {"profile", &options.profile},
                                                                     {"format", &options.format}}) {
    if (parsed.count(flag))
      *target = parsed[flag].as<std::string>();
    if (parsed.count(flag) && target->empty())
      return Error::usage("--" + std::string(flag) + " is empty");
  }
  if (options.format != "pb" && options.format != "npy" && options.format != "npz")
    return Error::usage("--format=" + options.format + " is not known", "it is pb, npy or npz");
  options.json = parsed.count("json");
  options.inGpuMemory = parsed.count("in-gpu-memory");
  options.threads = ThreadPool::availableCores();
  double price = -1, ratio = -1;
  int gpu = -1;
  for (Error error :
       {numberIn(parsed, "threads", 1u, ThreadPool::kMaxThreads, options.threads),
        numberIn(parsed, "gpu", 0, 1023, gpu), numberIn(parsed, "seconds", 0.0, 1e6, options.seconds),
        numberIn(parsed, "rtol", 0.0, 1e300, options.rtol),
        numberIn(parsed, "atol", 0.0, 1e300, options.atol),
        numberIn(parsed, "price-per-hour", 0.0, 1e9, price), numberIn(parsed, "max-ratio", 0.0, 1e9, ratio),
        numberIn<uint64_t>(parsed, "seed", 0, UINT64_MAX, options.seed),
        fractionIn(parsed, "max-error", options.maxError)})
    if (error)
      return error;
  if (price >= 0)
    options.pricePerHour = price;
  if (ratio >= 0)
    options.maxRatio = ratio;
  if (gpu >= 0)
    options.gpu = gpu;
  if (parsed.count("shape"))
    for (const std::string &text : parsed["shape"].as<std::vector<std::string>>())
      if (Error error = parseShape(text, options))
        return error;
  return Error::success();
}

} // namespace

Error optc::parseOptions(int argc, const char *const *argv, Options &options, std::string &text) {
  cxxopts::Options flags = declare();
  if (Error error = checkNames(flags, argc, argv))
    return error;
  try {
    cxxopts::ParseResult parsed = flags.parse(argc, argv);
    if (parsed.count("help")) {
      text = flags.help({"Run", "Measure", "Tell"});
      return Error::success();
    }
    if (parsed.count("version")) {
      text = "optc-run " OPTC_VERSION "\n";
      return Error::success();
    }
    return fill(parsed, options);
  } catch (const cxxopts::exceptions::exception &e) {
    return Error::usage(e.what(), "optc-run --help lists the flags");
  }
}
