//===- Runner.h - A loaded model, ready to be run again and again -*- C++ -*-===//
//
// Loads, gets inputs (from files or random), runs once, and keeps the outputs' memory for the runs
// that follow, so that a timed run allocates no more than the runtime itself does.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_RUN_RUNNER_H
#define OPTC_TOOLS_RUN_RUNNER_H

#include "runtime/Model.h"
#include "tools/optc-run/Options.h"
#include <chrono>

namespace optc {

using Clock = std::chrono::steady_clock;
inline double millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class Runner {
public:
  /// Opens the artefact.
  Error load(const std::string &path);
  const Model &loaded() const { return *model; }
  const std::string &file() const { return path; }
  /// From the call of load until a run may start.
  double loadMilliseconds() const { return loadTime; }

  /// Takes the inputs from --inputs, or makes them up: then integers get smaller until they are in range of
  /// the tables that the model looks them up in, and `warning` says so.
  Error prepare(const Options &options, std::string &warning);
  /// Runs with another runner's inputs.
  Error prepareAs(const Runner &other, const Options &options);
  /// One run; outputs() has its results.
  Error run();

  const std::vector<Value> &inputs() const { return inputValues; }
  const std::vector<Value> &outputs() const { return results; }
  Session &session() { return *running; }

private:
  Error firstRun(const Options &options);
  /// Status 4 where the model runs on a GPU that cannot be had.
  Error openDevice(const Options &options);
  /// Where inputs and outputs are in the runs that follow.
  Error moveToDevice(const Options &options);

  std::string path;
  std::shared_ptr<Model> model;
  double loadTime = 0;
  std::unique_ptr<Session> running;
  std::vector<Value> inputValues;
  std::vector<const Value *> pointers;
  std::vector<Value> results;
  std::vector<std::shared_ptr<void>> memory; // of the results
  // In the GPU's memory: what `inputs` and `results` then have the addresses of.
  OnDevice where;
  std::vector<gpu::Memory> deviceMemory;
  std::vector<Value> deviceInputs;
};

} // namespace optc

#endif // OPTC_TOOLS_RUN_RUNNER_H
