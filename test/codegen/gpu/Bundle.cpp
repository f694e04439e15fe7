//===- Bundle.cpp - Kernels to be tried on a device -----------------------===//

#include "test/codegen/gpu/Bundle.h"
#include "test/codegen/gpu/KernelValues.h"
#include <fstream>
#include <iomanip>
#include <sstream>

using namespace optc;

static constexpr const char *kHeader = "optc-kernels-3";

std::vector<int64_t> optc::samplePositions(int64_t size, int64_t samples) {
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < samples; ++i)
    positions.push_back(int64_t(hashOf(uint64_t(size), uint64_t(i)) % uint64_t(size)));
  return positions;
}

std::vector<int64_t> BundleResult::positions() const {
  int64_t size = 1;
  for (int64_t d : dims)
    size *= d;
  if (rows == 0)
    return samplePositions(size, samples);
  int64_t count = dims[size_t(rowDim)], outer = 1;
  for (int64_t d = 0; d < rowDim; ++d)
    outer *= dims[size_t(d)];
  int64_t inner = size / outer / count;
  std::vector<int64_t> list;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t row : samplePositions(count, rows))
      for (int64_t i = 0; i < inner; ++i)
        list.push_back((o * count + row) * inner + i);
  return list;
}

template <typename T> static void writeList(std::ostream &os, const std::vector<T> &list) {
  os << ' ' << list.size();
  for (const T &x : list)
    os << ' ' << x;
}

template <typename T> static void readList(std::istream &is, std::vector<T> &list) {
  constexpr size_t kMost = 16;
  size_t n = 0;
  if (!(is >> n) || n > kMost)
    return is.setstate(std::ios::failbit);
  list.resize(n);
  for (T &x : list)
    is >> x;
}

static DType readType(std::istream &is) {
  int number = 0;
  is >> number;
  return DType(number);
}

Status Bundle::write(const std::string &folder) const {
  std::ofstream os(folder + "/manifest");
  os << std::setprecision(17) << kHeader << ' ' << target << '\n';
  for (const BundleCase &c : cases) {
    os << "kernel " << c.cubin << ' ' << c.symbol << ' ' << c.blocks << ' ' << c.threads << ' '
       << c.sharedBytes << ' ' << c.residentBlocks << ' ' << c.checksIndices << ' ' << c.timed << ' '
       << c.flops << ' ' << c.workspace << ' ' << c.counters << ' ' << c.counted << ' ' << c.repeats;
    writeList(os, c.sizes);
    os << ' ' << c.what << '\n';
    for (const BundleOperand &x : c.operands) {
      os << "operand " << int(x.type) << ' ' << x.seed << ' ' << int(x.fill);
      writeList(os, x.dims);
      os << '\n';
    }
    for (const BundleResult &y : c.results) {
      os << "result " << int(y.type) << ' ' << y.tolerance << ' ' << y.operand << ' ' << y.samples << ' '
         << y.offset << ' ' << y.rows << ' ' << y.rowDim;
      writeList(os, y.dims);
      os << '\n';
    }
    for (const BundleMap &m : c.maps) {
      os << "map " << m.operand << ' ' << m.offset;
      writeList(os, m.sizes);
      writeList(os, m.strides);
      writeList(os, m.box);
      os << '\n';
    }
  }
  os.close();
  return os ? Status::success() : Status::error(folder + "/manifest: cannot be written");
}

Status Bundle::read(const std::string &folder, Bundle &bundle) {
  std::ifstream file(folder + "/manifest");
  std::string line, word;
  if (!std::getline(file, line))
    return Status::error(folder + "/manifest: cannot be read");
  std::istringstream head(line);
  if (!(head >> word >> bundle.target) || word != kHeader)
    return Status::error(folder + "/manifest: is not of this version");
  for (int number = 2; std::getline(file, line); ++number) {
    std::istringstream is(line);
    is >> word;
    if (word == "kernel") {
      BundleCase &c = bundle.cases.emplace_back();
      is >> c.cubin >> c.symbol >> c.blocks >> c.threads >> c.sharedBytes >> c.residentBlocks >>
          c.checksIndices >> c.timed >> c.flops >> c.workspace >> c.counters >> c.counted >> c.repeats;
      readList(is, c.sizes);
      std::getline(is >> std::ws, c.what);
    } else if (word == "operand" && !bundle.cases.empty()) {
      BundleOperand &x = bundle.cases.back().operands.emplace_back();
      x.type = readType(is);
      int fill = 0;
      is >> x.seed >> fill;
      x.fill = Fill(fill);
      readList(is, x.dims);
    } else if (word == "result" && !bundle.cases.empty()) {
      BundleResult &y = bundle.cases.back().results.emplace_back();
      y.type = readType(is);
      is >> y.tolerance >> y.operand >> y.samples >> y.offset >> y.rows >> y.rowDim;
      readList(is, y.dims);
    } else if (word == "map" && !bundle.cases.empty()) {
      BundleMap &m = bundle.cases.back().maps.emplace_back();
      is >> m.operand >> m.offset;
      readList(is, m.sizes);
      readList(is, m.strides);
      readList(is, m.box);
    } else {
      is.setstate(std::ios::failbit);
    }
    if (!is && !is.eof())
      return Status::error(folder + "/manifest:" + std::to_string(number) + ": cannot be understood");
  }
  return Status::success();
}
