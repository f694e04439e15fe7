//===- InputDims.cpp - Shapes of made up inputs ---------------------------===//

#include "tools/tensors/InputDims.h"
#include "runtime/Instructions.h"

using namespace optc;

std::vector<std::vector<int64_t>> optc::inputDims(const Plan &plan, const std::map<std::string, int64_t> &sizes, int64_t unknown) {
  const Frame &frame = plan.frames.front();
  std::vector<int64_t> registers(frame.registers);
  auto isDim = [&](const DimBinding &b) { return b.axis < plan.inputs[b.input].dims.size(); };
  for (const DimBinding &b : frame.bindings)
    if (!b.check && isDim(b)) {
      auto known = sizes.find(plan.inputs[b.input].symbols[b.axis]);
      registers[b.target] = known == sizes.end() ? unknown : known->second;
    }
  for (uint32_t i = 0; i < frame.entryEnd; ++i)
    execute(frame.program[i], registers.data());
  std::vector<std::vector<int64_t>> all;
  for (const Port &port : plan.inputs)
    all.push_back(port.dims);
  for (const DimBinding &b : frame.bindings)
    if (isDim(b) && all[b.input][b.axis] < 0)
      all[b.input][b.axis] = registers[b.target];
  return all;
}
