# Where each dependency is found. third_party/setup.sh installs all of them.
set(OPTC_DEPS "$ENV{OPTC_DEPS}" CACHE PATH "Prefix that third_party/setup.sh filled")
if(NOT OPTC_DEPS)
  set(OPTC_DEPS "$ENV{HOME}/.cache/optc-deps" CACHE PATH "" FORCE)
endif()

# LLVM, MLIR, LLD 19. Only the shared targets MLIR and LLVM are linked: a component archive
# (libMLIR*.a) beside them would duplicate TypeIDs and command-line options.
find_package(MLIR 19.1 REQUIRED CONFIG PATHS /usr/lib/llvm-19/lib/cmake/mlir)
find_package(LLD 19.1 REQUIRED CONFIG PATHS /usr/lib/llvm-19/lib/cmake/lld)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

find_package(Threads REQUIRED)
# Protobuf and ONNX: the same libprotobuf for both; ONNX is a static archive.
find_package(Protobuf REQUIRED)
find_package(ONNX 1.23 REQUIRED CONFIG PATHS ${OPTC_DEPS}/onnx-1.23.2 NO_DEFAULT_PATH)
find_package(cxxopts REQUIRED)
find_package(nlohmann_json REQUIRED)
# FlatBuffers: its compiler and its headers.
find_program(FLATC flatc REQUIRED)
find_path(FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h REQUIRED)

# Headers of LLVM and MLIR come in as system headers: their warnings are not ours.
add_library(optc_mlir INTERFACE)
target_include_directories(optc_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(optc_mlir INTERFACE ${LLVM_DEFINITIONS})
target_link_libraries(optc_mlir INTERFACE MLIR LLVM)
