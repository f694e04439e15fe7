//===- Mutants.cpp - Bugs that the emulation has to find ------------------===//
//
// gpu-mutants TABLE [FILE...] [--jobs=N]: plants each bug of the table (tile_mutants.txt, which says how it is written) in the tile
// library, or those in some of its files, and runs the kernels that are written in it on top of emulate.h: in every order of threads,
// with copies and products that are done at once and late. Each has to be noticed, unless the table says why it does no harm. A
// bug whose place is no longer found exactly once is an error, so that the table follows the library.
//
//===----------------------------------------------------------------------===//

#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "test/codegen/gpu/EmulatedLaunch.h"
#include "test/codegen/gpu/Models.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <deque>
#include <map>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace optc;

namespace {

struct Mutant {
  std::string file, subject, what;
  /// Text of the file, and what takes its place.
  std::string before, after;
  /// Why nothing can notice it; empty: something has to.
  std::string equivalent;
};

/// Kernels that a mutant is tried on.
struct Subject {
  std::string text;
  std::vector<Emulator::Kernel> kernels;
  std::vector<EmulatedLaunch> launches;
};

[[noreturn]] void stop(const llvm::Twine &message) {
  llvm::errs() << "gpu-mutants: error: " << message << "\n";
  std::exit(1);
}

std::string readFile(const llvm::Twine &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    stop(path + ": cannot be read");
  return (*file)->getBuffer().str();
}

std::vector<Mutant> readTable(const char *path) {
  std::vector<Mutant> mutants;
  std::string text = readFile(path);
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  auto append = [](std::string &to, llvm::StringRef line) { to += (to.empty() ? "" : "\n") + line.str(); };
  for (llvm::StringRef line : lines) {
    if (line.empty() || line.starts_with("#"))
      continue;
    if (line.consume_front("mutant ")) {
      Mutant mutant;
      auto [place, what] = line.split(": ");
      auto [file, subject] = place.split(" in ");
      mutant.file = file.str();
      mutant.subject = (subject.empty() ? file : subject).str();
      mutant.what = what.str();
      mutants.push_back(mutant);
    } else if (mutants.empty()) {
      stop(llvm::Twine(path) + ": no mutant: " + line);
    } else if (line == "-" || line.consume_front("- ")) {
      append(mutants.back().before, line);
    } else if (line == "+" || line.consume_front("+ ")) {
      append(mutants.back().after, line == "+" ? "" : line);
    } else if (line.consume_front("equivalent: ")) {
      mutants.back().equivalent = line.str();
    } else {
      stop(llvm::Twine(path) + ": neither -, + nor equivalent: " + line);
    }
  }
  return mutants;
}

//===-- Subjects ----------------------------------------------------------===//

/// Products of tile_products.cu: several tiles a block, more steps than stages (`depth` k's).
Subject tileSubject(const GpuTarget &target, std::vector<llvm::StringRef> symbols, int64_t depth = 712) {
  Subject subject;
  subject.text = tileProductSource(target, [&](llvm::StringRef symbol) { return llvm::is_contained(symbols, symbol); });
  for (const TileProduct &product : tileProducts(target)) {
    if (!llvm::is_contained(symbols, product.symbol))
      continue;
    subject.kernels.push_back({product.symbol, product.columns ? 384 : 256, product.sharedBytes});
    subject.launches.push_back(launchOf(product, 2, 133, 72, 208));
    subject.launches.push_back(launchOf(product, 3, 72, 208, depth));
    // Several whole tiles beside those that are cut.
    if (product.units)
      subject.launches.push_back(launchOf(product, 3, 133, 208, 208));
  }
  return subject;
}

/// Kernels of a model whose code has a text; of the first one also `more` sizes.
Subject modelSubject(mlir::ModuleOp module, const char *target, llvm::StringRef has, std::vector<int64_t> sizes, std::vector<int64_t> more = {}) {
  auto source = printKernels(module, {target});
  if (!source)
    stop(llvm::toString(source.takeError()));
  llvm::erase_if(source->kernels, [&](const CudaKernel &kernel) { return !llvm::StringRef(kernel.definition).contains(has); });
  if (source->kernels.empty())
    stop("no kernel of a model is written in " + has);
  Subject subject;
  subject.text = unitOf(source->kernels);
  uint64_t seed = 0;
  for (const CudaKernel &kernel : source->kernels) {
    subject.kernels.push_back({kernel.symbol, kernel.threads, kernel.sharedBytes});
    std::vector<int64_t> all = sizes;
    if (&kernel == &source->kernels.front())
      all.insert(all.end(), more.begin(), more.end());
    for (int64_t n : all) {
      auto launch = launchOf(kernel, {{"n", n}}, seed += 16);
      if (!launch)
        stop(llvm::toString(launch.takeError()));
      subject.launches.push_back(std::move(*launch));
    }
  }
  return subject;
}

Subject makeSubject(const std::string &name) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  // More than a group of rows of tiles.
  if (name == "gemm_simt")
    return modelSubject(*smallProducts(context), "sm_80", "GemmSimt<float", {37}, {2200});
  if (name == "conv_simt")
    return modelSubject(*smallProducts(context), "sm_80", "ConvSimt<", {2, 5});
  if (name == "gemm_sm80")
    return tileSubject({"sm_80"}, {"warp_bf16", "warp_bf16_along_n", "warp_f16_in_pieces", "warp_u8_bytes"});
  if (name == "conv_sm80")
    return modelSubject(*smallProducts(context), "sm_80", "ConvSm80<", {2, 5});
  if (name == "conv_sm90")
    return modelSubject(*wideConvolution(context), "sm_90", "ConvSm90<", {7});
  if (name == "gemm_sm90")
    return tileSubject({"sm_90"}, {"bf16_128", "bf16_64_along_n"});
  if (name == "gemm_codes_sm80")
    return tileSubject({"sm_80"}, {"codes_i4", "codes_i4_wide", "codes_i8_in_units", "codes_i8_zeros", "codes_f8"});
  if (name == "gemm_sparse_sm80")
    return tileSubject({"sm_80"}, {"warp_sparse_f16_in_slices", "warp_sparse_in_units"});
  if (name == "gemm_sparse_sm90")
    return tileSubject({"sm_90"}, {"sparse_bf16_128", "sparse_f16_64_in_slices"});
  if (name == "e4m3")
    return tileSubject({"sm_90"}, {"f8_64", "warp_f8", "warp_f8_in_pieces"}, 720);
  if (name == "stream_k")
    return modelSubject(*smallSplits(context), "sm_80", "StreamK{", {1});
  if (name == "stream_k_tiles")
    return tileSubject({"sm_90"}, {"bf16_256_in_slices", "bf16_64_in_units", "warp_bf16_in_slices", "warp_i8_in_units"}, 720);
  if (name == "stream_any")
    return modelSubject(*anyRows(context), "sm_80", "StreamAny{", {70, 500, 1100, 1200});
  if (name == "split_keys")
    return modelSubject(*smallDecoding(context), "sm_80", "SplitKeys<", {500});
  if (name == "attention_sm90")
    return modelSubject(*smallAttention(context), "sm_90", "AttentionSm90<bf16", {37, 150});
  if (name == "attention_sm80")
    return modelSubject(*smallAttention(context), "sm_80", "AttentionSm80<bf16", {37, 150});
  if (name == "gemv")
    return modelSubject(*smallProducts(context), "sm_80", "GemvAlong", {37});
  // Blocks take several lines and matrices in turn.
  if (name == "dft")
    return modelSubject(*smallLibrary(context), "sm_80", "Dft<float", {5, 700});
  if (name == "determinant")
    return modelSubject(*smallLibrary(context), "sm_80", "Determinant<double", {5, 700});
  if (name == "mel")
    return modelSubject(*smallLibrary(context), "sm_80", "MelWeightMatrix<float", {5, 300});
  // Integers have many ties; several tiles.
  if (name == "unique")
    return modelSubject(*smallLibrary(context), "sm_80", "Unique<i64", {5, 1500});
  if (name == "regions")
    return modelSubject(*smallLibrary(context), "sm_80", "MaxRoiPool<float", {7});
  if (name == "random")
    return modelSubject(*smallLibrary(context), "sm_80", "Random<float", {5, 700});
  if (name == "conv_direct")
    return modelSubject(*smallLibrary(context), "sm_80", "DirectConv<float", {2, 5});
  if (name == "columns")
    return modelSubject(*smallLibrary(context), "sm_80", "Col2Im<float", {2, 5});
  if (name == "deformed")
    return modelSubject(*smallLibrary(context), "sm_80", "DeformConv<float", {2, 5});
  stop("nothing is tried for " + name);
}

//===-- Runs --------------------------------------------------------------===//

/// What a child process says, and how it ends.
struct Ended {
  std::string said;
  int status = 0;
};
class Child {
public:
  /// Runs `body` in a process of its own, whose errors are what it says.
  explicit Child(llvm::function_ref<void()> body) {
    int ends[2];
    if (pipe(ends) != 0)
      stop("no pipe");
    process = fork();
    if (process == 0) {
      dup2(ends[1], 2);
      close(ends[0]);
      close(ends[1]);
      body();
      _exit(0);
    }
    close(ends[1]);
    from = ends[0];
  }
  Ended wait() {
    Ended ended;
    char buffer[4096];
    for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
      ended.said.append(buffer, size_t(n));
    close(from);
    waitpid(process, &ended.status, 0);
    return ended;
  }

private:
  pid_t process;
  int from;
};

constexpr int kWrong = 3, kNotCompiled = 4;

/// How the kernels fail, in the first order of threads that shows it; empty: in none. Exits where they cannot be compiled.
std::string failureOf(const Subject &subject, const std::string &text) {
  Emulator emulator(text, subject.kernels);
  if (!emulator.isReady())
    _exit(kNotCompiled);
  // Every order, every way of being late; what notices most first.
  const std::pair<int, int> schedules[] = {{0, 0}, {0, 1}, {1, 1}, {2, 2}, {3, 2}, {2, 1}, {2, 3}, {3, 0}};
  for (auto [schedule, late] : schedules) {
    Child child([&, schedule = schedule, late = late] {
      // Kernels that do not end.
      rlimit limit{60, 60};
      setrlimit(RLIMIT_CPU, &limit);
      emulator.setSchedule(schedule, late);
      for (const EmulatedLaunch &launch : subject.launches) {
        launch.run(emulator);
        if (std::string difference = launch.compare(); !difference.empty()) {
          llvm::errs() << "wrong results\n";
          _exit(kWrong);
        }
      }
    });
    Ended ended = child.wait();
    if (ended.status == 0)
      continue;
    std::string how = llvm::StringRef(ended.said).split('\n').first.str();
    if (WIFSIGNALED(ended.status) && how.empty())
      how = WTERMSIG(ended.status) == SIGKILL || WTERMSIG(ended.status) == SIGXCPU ? "does not end" : strsignal(WTERMSIG(ended.status));
    static const char *const orders[] = {"in order", "reversed", "at random", "warp by warp"};
    static const char *const kinds[] = {"", ", all late", ", products late", ", copies late"};
    static_assert(std::size(orders) == Emulator::kSchedules && std::size(kinds) == Emulator::kLate);
    return std::string(orders[schedule]) + kinds[late] + ": " + how;
  }
  return "";
}

/// The kernels' text with the mutant in it.
std::string plant(const Mutant &mutant, const std::string &text) {
  std::string file = readFile(OPTC_TILE_FOLDER "/" + mutant.file + ".cuh"), changed = file;
  size_t at = file.find(mutant.before);
  if (mutant.before.empty() || at == std::string::npos || file.find(mutant.before, at + 1) != std::string::npos)
    stop(mutant.file + ".cuh does not have exactly once what '" + mutant.what + "' changes");
  changed.replace(at, mutant.before.size(), mutant.after);
  size_t place = text.find(file);
  if (place == std::string::npos)
    stop(mutant.file + ".cuh is not the one that this program was built with, or " + mutant.subject + " is not written in it");
  return text.substr(0, place) + changed + text.substr(place + file.size());
}

} // namespace

int main(int argc, char **argv) {
  size_t jobs = std::max(1u, std::thread::hardware_concurrency());
  llvm::StringSet<> files;
  const char *table = nullptr;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef argument = argv[i];
    if (argument.consume_front("--jobs=")) {
      if (argument.getAsInteger(10, jobs) || jobs == 0)
        stop("--jobs=" + argument + " is no number");
    } else if (table) {
      files.insert(argument);
    } else {
      table = argv[i];
    }
  }
  if (!table)
    stop("usage: gpu-mutants TABLE [FILE...] [--jobs=N]");
  std::vector<Mutant> mutants = readTable(table);
  llvm::erase_if(mutants, [&](const Mutant &mutant) { return !files.empty() && !files.contains(mutant.file); });

  // First the kernels as they are, which have to be right, then each mutant.
  std::map<std::string, Subject> subjects;
  std::vector<std::pair<const Subject *, std::string>> runs;
  std::vector<std::string> names;
  for (const Mutant &mutant : mutants)
    if (auto [it, isNew] = subjects.try_emplace(mutant.subject); isNew) {
      it->second = makeSubject(mutant.subject);
      runs.push_back({&it->second, it->second.text});
      names.push_back(mutant.subject);
    }
  const size_t first = runs.size();
  for (const Mutant &mutant : mutants) {
    const Subject &subject = subjects.at(mutant.subject);
    runs.push_back({&subject, plant(mutant, subject.text)});
  }
  size_t caught = 0, equivalent = 0, bad = 0;
  auto judge = [&](size_t i, const Ended &ended) {
    const Mutant *mutant = i < first ? nullptr : &mutants[i - first];
    const std::string &said = ended.said;
    std::string verdict;
    bool isExpected = true;
    if (ended.status != 0) {
      isExpected = false;
      verdict = "is not compiled: " + said;
    } else if (!mutant) {
      isExpected = said.empty();
      verdict = said.empty() ? "agrees" : said;
    } else if (!mutant->equivalent.empty()) {
      isExpected = said.empty();
      verdict = said.empty() ? "equivalent: " + mutant->equivalent : "not equivalent: " + said;
      equivalent += isExpected;
    } else {
      isExpected = !said.empty();
      verdict = said.empty() ? "NOT CAUGHT" : "caught: " + said;
      caught += isExpected;
    }
    bad += !isExpected;
    llvm::outs() << (isExpected ? "  " : "! ") << (mutant ? mutant->file + ": " + mutant->what : names[i] + " as it is") << ": " << verdict << "\n";
    llvm::outs().flush();
  };
  std::deque<std::pair<size_t, Child>> running;
  auto finishFirst = [&] {
    judge(running.front().first, running.front().second.wait());
    running.pop_front();
  };
  for (size_t i = 0; i < runs.size(); ++i) {
    if (running.size() == jobs)
      finishFirst();
    running.emplace_back(i, Child([&] { llvm::errs() << failureOf(*runs[i].first, runs[i].second); }));
  }
  while (!running.empty())
    finishFirst();

  llvm::outs() << mutants.size() << " mutants: " << caught << " caught, " << equivalent << " equivalent, " << bad << " wrong\n";
  return bad != 0;
}
