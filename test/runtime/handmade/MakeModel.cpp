//===- MakeModel.cpp - A compiled model without a compiler ----------------===//
//
// An artefact whose plan is written by hand and whose kernels are C++ functions, so that the loader, the C
// ABI and optc-run are tested without what makes plans and code:
//
//   make_model source MODEL > model.cpp           then the build compiles it to a shared object
//   make_model package model-code.so model.so     appends weights and trailer
//
// Models, all over x: f32[n]
//   plain      y = 3 x, z: f32[4] = 2 w (w in the weights: 1 2 3 4), u = the different values of x: f32[u0]
//   rounded    the same, and y has an error of 1 in 1,000
//   foreign    needs a CPU feature that no CPU has
//
//===----------------------------------------------------------------------===//

#include "runtime/Artefact.h"
#include "test/runtime/Sketch.h"
#define XXH_INLINE_ALL
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <xxhash.h>

using namespace optc;
using namespace optc::test;

static Plan makePlan(const std::string &model) {
  FrameSketch f;
  auto n = f.dim(0, 0), four = f.constant(4);
  auto x = f.input(DType::f32, {n});
  auto w = f.buffer(Storage::Kind::weight, DType::f32, {four});
  auto t = f.arena(DType::f32, {n});
  auto y = f.output(DType::f32, {n}), z = f.output(DType::f32, {four});
  f.kernel(0, {x}, {t}, {n}, n).name = "double";
  Step &add = f.kernel(1, {t, x}, {y}, {n}, n);
  add.name = "add";
  add.flops = n;
  f.kernel(0, {w}, {z}, {four}, four).name = "weights";
  auto k = f.fresh();
  Step &unique = f.library("unique", {x}, {});
  unique.name = "unique";
  unique.attributes.set("sorted", int64_t(1));
  unique.definitions.push_back({0, 0, k});
  auto u = f.output(DType::f32, {k}), first = f.dynamic(DType::i64, {k}),
       inverse = f.dynamic(DType::i64, {n}), counts = f.dynamic(DType::i64, {k});
  f.frame.steps.back().outputs = {u, first, inverse, counts};
  Plan plan;
  plan.frames = {f.take()};
  auto port = [](const char *name, int64_t dim, const char *symbol) {
    Port p;
    p.name = name;
    p.type = DType::f32;
    p.dims = {dim};
    p.symbols = {symbol};
    return p;
  };
  plan.inputs = {port("x", -1, "n")};
  plan.outputs = {port("y", -1, "n"), port("z", 4, ""), port("u", -1, "u0")};
  plan.report = R"({"schema": 1, "steps": [
  {"name": "double", "nodes": ["Double_0"], "kind": "kernel", "device": "cpu", "precision": "f32"},
  {"name": "add", "nodes": ["Add_1", "Mul_2"], "kind": "kernel", "device": "cpu", "precision": "f32"},
  {"name": "weights", "nodes": ["Double_3"], "kind": "kernel", "device": "cpu", "precision": "f32"},
  {"name": "unique", "nodes": ["Unique_4"], "kind": "library", "device": "cpu", "precision": "f32"}],
 "fallbacks": [{"node": "Unique_4", "operator": "Unique", "reason": "no kernel"}]})";
  if (!isConsistent(plan))
    std::cerr << "make_model: the plan is not consistent\n", exit(1);
  return plan;
}

static int writeSource(const std::string &model) {
  std::string bytes = serialize(makePlan(model));
  std::cout << "#include \"test/runtime/Kernels.h\"\nusing namespace optc::test;\n";
  if (model == "rounded")
    std::cout << "static int32_t add(const OptcArgs *a, int64_t b, int64_t e) {\n"
                 "  addKernel(a, b, e);\n"
                 "  for (int64_t i = b; i < e; ++i) static_cast<float *>(a->buffers[2])[i] *= 1.001f;\n"
                 "  return 0;\n}\n";
  else
    std::cout << "constexpr auto add = addKernel;\n";
  std::cout << "static const OptcKernel kernels[] = {doubleKernel, add};\n"
            << "static const OptcLevel levels[] = {";
  if (model != "foreign")
    std::cout << "{\"best\", 1ull << 63, kernels, 2}, {\"baseline\", 0, kernels, 2}";
  else
    std::cout << "{\"best\", OPTC_CPU_AMX | 1ull << 63, kernels, 2}";
  std::cout << "};\nstatic const uint8_t plan[] = {";
  for (char c : bytes)
    std::cout << int(uint8_t(c)) << ",";
  std::cout << "};\nextern \"C\" __attribute__((visibility(\"default\"))) const OptcDescriptor optc_model;\n"
               "const OptcDescriptor optc_model = {OPTC_DESCRIPTOR_MAGIC, OPTC_ARTEFACT_VERSION, levels, "
               "sizeof levels / sizeof *levels, plan, sizeof plan, nullptr, 0};\n";
  return 0;
}

static int package(const char *from, const char *to) {
  std::stringstream text;
  text << std::ifstream(from, std::ios::binary).rdbuf();
  std::string image = text.str();
  image.resize((image.size() + 4095) / 4096 * 4096);
  float weights[] = {1, 2, 3, 4};
  OptcTrailer trailer{};
  trailer.codeBytes = trailer.weightOffset = image.size();
  trailer.codeHash = XXH3_64bits(image.data(), image.size());
  trailer.weightBytes = sizeof weights;
  trailer.weightHash = XXH3_64bits(weights, sizeof weights);
  trailer.version = OPTC_ARTEFACT_VERSION;
  trailer.magic = OPTC_TRAILER_MAGIC;
  std::ofstream out(to, std::ios::binary);
  out << image;
  out.write(reinterpret_cast<char *>(weights), sizeof weights);
  out.write(reinterpret_cast<char *>(&trailer), sizeof trailer);
  return out ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 3 && std::string(argv[1]) == "source")
    return writeSource(argv[2]);
  if (argc == 4 && std::string(argv[1]) == "package")
    return package(argv[2], argv[3]);
  return 1;
}
