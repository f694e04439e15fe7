//===- Folder.h - A model's inputs or outputs in a folder -------*- C++ -*-===//
//
// A folder holds PREFIX_I.pb or PREFIX_I.npy in the order of the graph's ports (PREFIX is "input" or
// "output"), or NAME.npy, or one .npz with members NAME or PREFIX_I. A .npz may also be given itself.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_TENSORS_FOLDER_H
#define OPTC_TOOLS_TENSORS_FOLDER_H

#include "runtime/Plan.h"
#include "tools/tensors/TensorFile.h"

namespace optc {

/// One value for each port.
Error readFolder(const std::string &folder, const std::string &prefix, const std::vector<Port> &ports,
                 std::vector<Value> &values);

/// The member of an archive that has a port's name, or else its number; null where there is none.
const Value *findMember(const std::vector<NamedValue> &members, const std::string &prefix, size_t number, const Port &port);

/// Sets `holds` where readFolder would find any of the ports.
Error holdsAny(const std::string &folder, const std::string &prefix, const std::vector<Port> &ports, bool &holds);

/// Writes output_I.FORMAT, or outputs.npz with members by name. Makes the folder.
Error writeOutputs(const std::string &folder, const std::string &format, const std::vector<Port> &ports,
                   const std::vector<Value> &values);

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_FOLDER_H
