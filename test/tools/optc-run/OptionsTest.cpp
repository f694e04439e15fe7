#include "tools/optc-run/Options.h"
#include <gtest/gtest.h>

using namespace optc;

namespace {

struct Parsed {
  Options options;
  std::string text;
  Error error;
  explicit Parsed(std::vector<const char *> arguments) {
    arguments.insert(arguments.begin(), "optc-run");
    error = parseOptions(int(arguments.size()), arguments.data(), options, text);
  }
};

TEST(Options, Modes) {
  EXPECT_EQ(Parsed({"m.so"}).options.mode, Options::Mode::describe);
  EXPECT_EQ(Parsed({"m.so", "--report"}).options.mode, Options::Mode::report);
  EXPECT_EQ(Parsed({"m.so", "--bench"}).options.mode, Options::Mode::bench);
  EXPECT_EQ(Parsed({"a.so", "--vs", "b.so", "--inputs", "d"}).options.mode, Options::Mode::versus);
  Parsed run({"m.so", "--inputs", "d", "--outputs=o", "--expected=e", "--rtol=1e-2"});
  EXPECT_FALSE(run.error) << run.error.message;
  EXPECT_EQ(run.options.mode, Options::Mode::run);
  EXPECT_EQ(run.options.rtol, 1e-2);
  EXPECT_EQ(run.options.atol, 1e-7);
}

TEST(Options, Values) {
  Parsed p({"m.so", "--bench", "--threads=3", "--seconds=0.5", "--seed=7", "--price-per-hour=0.34", "--json",
            "--shape=a=1=2x3", "--shape", "b,c=", "--shape=d=0"});
  ASSERT_FALSE(p.error) << p.error.message;
  EXPECT_EQ(p.options.threads, 3u);
  EXPECT_EQ(p.options.seconds, 0.5);
  EXPECT_EQ(p.options.pricePerHour, 0.34);
  EXPECT_EQ(p.options.shapes["a=1"], (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(p.options.shapes.at("b,c").empty());
  EXPECT_EQ(p.options.shapes["d"], std::vector<int64_t>{0});
  EXPECT_EQ(Parsed({"m.so", "--bench", "--gpu=3", "--in-gpu-memory"}).options.gpu, 3);
  EXPECT_TRUE(Parsed({"m.so", "--profile=p", "--in-gpu-memory"}).options.inGpuMemory);
  EXPECT_EQ(Parsed({"a.so", "--vs=b.so", "--max-error=0.5%"}).options.maxError, 0.005);
  EXPECT_EQ(Parsed({"a.so", "--vs=b.so", "--max-error=0.25"}).options.maxError, 0.25);
}

TEST(Options, HelpAndVersion) {
  EXPECT_NE(Parsed({"--help"}).text.find("--price-per-hour"), std::string::npos);
  EXPECT_NE(Parsed({"-h"}).text.find("optc-run MODEL.so"), std::string::npos);
  EXPECT_EQ(Parsed({"--version"}).text.substr(0, 9), "optc-run ");
}

TEST(Options, Errors) {
  struct Case {
    std::vector<const char *> arguments;
    const char *message, *hint;
  };
  for (const Case &c : std::initializer_list<Case>{
           {{}, "no model given", "optc-run MODEL.so"},
           {{"a.so", "--vs=b.so", "--in-gpu-memory"}, "--in-gpu-memory has no effect here", "it goes with --bench or --profile"},
           {{"m.so", "--bench", "--gpu=-1"}, "--gpu=-1 is not a number in its range", ""},
           {{"m.so", "--bensh"}, "unknown flag --bensh", "did you mean --bench?"},
           {{"m.so", "--frobnicate=1"}, "unknown flag --frobnicate", "optc-run --help lists the flags"},
           {{"a.so", "b.so"}, "'b.so' is one model too many", "optc-run a.so --vs b.so compares two"},
           {{"m.so", "--bench", "--profile=p"},
            "--bench and --profile exclude each other",
            "run optc-run twice"},
           {{"m.so", "--inputs=d"},
            "--inputs has no effect here",
            "it goes with --outputs, --expected, --bench, --profile or --vs"},
           {{"m.so", "--bench", "--rtol=1"}, "--rtol has no effect here", "it goes with --expected"},
           {{"m.so", "--inputs=d", "--outputs=o", "--json"},
            "--json has no effect here",
            "it goes with --expected"},
           {{"m.so", "--bench", "--inputs=d", "--seed=1"},
            "--seed has no effect here",
            "it is for random inputs, without --inputs"},
           {{"m.so", "--bench", "--max-ratio=2"}, "--max-ratio has no effect here", "it goes with --vs"},
           {{"m.so", "--bench", "--threads=0"}, "--threads=0 is not a number in its range", ""},
           {{"m.so", "--bench", "--threads=2x"}, "--threads=2x is not a number in its range", ""},
           {{"m.so", "--bench", "--seconds=-1"}, "--seconds=-1 is not a number in its range", ""},
           {{"m.so", "--bench", "--seconds=nan"}, "--seconds=nan is not a number in its range", ""},
           {{"a.so", "--vs=b.so", "--max-error=x%"},
            "--max-error=x% is neither a number nor a percentage",
            ""},
           {{"m.so", "--bench", "--shape=1x3"},
            "--shape=1x3 has no NAME=",
            "for example --shape=input=1x3x224x224"},
           {{"m.so", "--bench", "--shape=x=1x"},
            "--shape=x=1x is not a list of sizes",
            "for example --shape=input=1x3x224x224"},
           {{"m.so", "--bench", "--shape=x=-1"},
            "--shape=x=-1 is not a list of sizes",
            "for example --shape=input=1x3x224x224"},
           {{"m.so", "--inputs=d", "--outputs=o", "--format=csv"},
            "--format=csv is not known",
            "it is pb, npy or npz"},
       }) {
    Parsed p(c.arguments);
    EXPECT_EQ(p.error.message, c.message);
    EXPECT_EQ(p.error.hint, c.hint);
    EXPECT_EQ(p.error.exitCode, ExitCode::badModel);
  }
}

} // namespace
