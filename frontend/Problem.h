//===- Problem.h - What is wrong with a model -------------------*- C++ -*-===//
//
// Importing never stops at the first problem: every one becomes an entry here, in the user's
// words, and the tool prints them all:
//
//   model.onnx: error: node 'conv1' (Conv, opset 13): input has 3 channels, weights expect 4 ...
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_PROBLEM_H
#define OPTC_FRONTEND_PROBLEM_H

#include <string>
#include <vector>

namespace optc {

/// badModel: the model breaks ONNX's rules. unsupported: it is valid, and this compiler can't take it.
enum class ProblemKind { badModel, unsupported };

struct Problem {
  ProblemKind kind;
  /// One line, without the file's name and `error:`.
  std::string message;
};

using Problems = std::vector<Problem>;

/// What an importer throws to give up on its node; an empty message: the problem has been reported.
/// Caught in GraphImporter::importNode, it never leaves the frontend.
struct NodeError {
  ProblemKind kind;
  std::string message;
};

/// What an importer throws to have its node expanded by the operator's function body.
struct ExpandInstead {};

} // namespace optc

#endif // OPTC_FRONTEND_PROBLEM_H
