//===- LibraryModels.cpp - Models that call the library's functions -------===//

#include "test/codegen/gpu/JoinModels.h"
#include "test/codegen/gpu/Models.h"

using namespace optc;

namespace {

// Along rows and across them, of one part and of several.
const char *kScans = R"(
#d = #optc.dims<["n"]>
#c = #optc.dims<["n", 5]>
func.func @main(%x: tensor<?xT, #d>, %c: tensor<?x5xT, #c>, %l: tensor<2x5000xT>, %a: tensor<2x300x7xT>, %e: tensor<3x0xT>)
    -> (tensor<?xT, #d>, tensor<?x5xT, #c>, tensor<?x5xT, #c>, tensor<2x5000xT>, tensor<2x300x7xT>, tensor<3x0xT>) {
  %0 = optc.cumulative %x {axis = 0 : i64, kind = "sum", exclusive = false, reverse = false} : (tensor<?xT, #d>) -> tensor<?xT, #d>
  %1 = optc.cumulative %c {axis = 0 : i64, kind = "sum", exclusive = true, reverse = false} : (tensor<?x5xT, #c>) -> tensor<?x5xT, #c>
  %2 = optc.cumulative %c {axis = 1 : i64, kind = "prod", exclusive = false, reverse = true} : (tensor<?x5xT, #c>) -> tensor<?x5xT, #c>
  %3 = optc.cumulative %l {axis = 1 : i64, kind = "sum", exclusive = true, reverse = true} : (tensor<2x5000xT>) -> tensor<2x5000xT>
  %4 = optc.cumulative %a {axis = 1 : i64, kind = "sum", exclusive = false, reverse = true} : (tensor<2x300x7xT>) -> tensor<2x300x7xT>
  %5 = optc.cumulative %e {axis = 1 : i64, kind = "sum", exclusive = false, reverse = false} : (tensor<3x0xT>) -> tensor<3x0xT>
  return %0, %1, %2, %3, %4, %5 : tensor<?xT, #d>, tensor<?x5xT, #c>, tensor<?x5xT, #c>, tensor<2x5000xT>, tensor<2x300x7xT>, tensor<3x0xT>
})";

// Few of many, all, across, in their order; integers have many ties.
const char *kSorts = R"(
#d = #optc.dims<[2, "n"]>
func.func @main(%x: tensor<2x?xT, #d>, %l: tensor<2x5000xT>, %a: tensor<2x70x3xT>, %e: tensor<0x8xT>)
    -> (tensor<2x1xT>, tensor<2x1xi64>, tensor<2x?xT, #d>, tensor<2x?xi64, #d>, tensor<2x30xT>, tensor<2x30xi64>, tensor<2x4000xT>, tensor<2x4000xi64>,
        tensor<2x9x3xT>, tensor<2x9x3xi64>, tensor<2x70x3xT>, tensor<2x70x3xi64>, tensor<0x3xT>, tensor<0x3xi64>) {
  %0, %i0 = optc.top_k %x {axis = 1 : i64, largest = true, sorted = true} : (tensor<2x?xT, #d>) -> (tensor<2x1xT>, tensor<2x1xi64>)
  %1, %i1 = optc.top_k %x {axis = 1 : i64, largest = false, sorted = true} : (tensor<2x?xT, #d>) -> (tensor<2x?xT, #d>, tensor<2x?xi64, #d>)
  %2, %i2 = optc.top_k %l {axis = 1 : i64, largest = true, sorted = true} : (tensor<2x5000xT>) -> (tensor<2x30xT>, tensor<2x30xi64>)
  %3, %i3 = optc.top_k %l {axis = 1 : i64, largest = false, sorted = false} : (tensor<2x5000xT>) -> (tensor<2x4000xT>, tensor<2x4000xi64>)
  %4, %i4 = optc.top_k %a {axis = 1 : i64, largest = false, sorted = true} : (tensor<2x70x3xT>) -> (tensor<2x9x3xT>, tensor<2x9x3xi64>)
  %5, %i5 = optc.top_k %a {axis = 1 : i64, largest = true, sorted = false} : (tensor<2x70x3xT>) -> (tensor<2x70x3xT>, tensor<2x70x3xi64>)
  %6, %i6 = optc.top_k %e {axis = 1 : i64, largest = true, sorted = true} : (tensor<0x8xT>) -> (tensor<0x3xT>, tensor<0x3xi64>)
  return %0, %i0, %1, %i1, %2, %i2, %3, %i3, %4, %i4, %5, %i5, %6, %i6 : tensor<2x1xT>, tensor<2x1xi64>, tensor<2x?xT, #d>, tensor<2x?xi64, #d>,
      tensor<2x30xT>, tensor<2x30xi64>, tensor<2x4000xT>, tensor<2x4000xi64>, tensor<2x9x3xT>, tensor<2x9x3xi64>, tensor<2x70x3xT>, tensor<2x70x3xi64>,
      tensor<0x3xT>, tensor<0x3xi64>
})";

// Sizes that values decide: p and q.
const char *kPositions = R"(
#d = #optc.dims<["n"]>
#e = #optc.dims<[3, "n", 5]>
#p = #optc.dims<[1, "p"]>
#q = #optc.dims<[3, "q"]>
#z = #optc.dims<[2, "z"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<3x?x5xT, #e>, %e: tensor<0x4xT>) -> (tensor<1x?xi64, #p>, tensor<3x?xi64, #q>, tensor<2x?xi64, #z>) {
  %0 = optc.nonzero %x : (tensor<?xT, #d>) -> tensor<1x?xi64, #p>
  %1 = optc.nonzero %y : (tensor<3x?x5xT, #e>) -> tensor<3x?xi64, #q>
  %2 = optc.nonzero %e : (tensor<0x4xT>) -> tensor<2x?xi64, #z>
  return %0, %1, %2 : tensor<1x?xi64, #p>, tensor<3x?xi64, #q>, tensor<2x?xi64, #z>
})";

// The operands that say how many are kept have random values too.
const char *kSuppression = R"(
#b = #optc.dims<[2, "n", 4]>
#s = #optc.dims<[2, 3, "n"]>
#p = #optc.dims<["p", 3]>
#q = #optc.dims<["q", 3]>
#r = #optc.dims<["r", 3]>
func.func @main(%b: tensor<2x?x4xT, #b>, %s: tensor<2x3x?xT, #s>, %l: tensor<1xi64>, %m: tensor<i64>, %i: tensor<f32>, %t: tensor<f32>)
    -> (tensor<?x3xi64, #p>, tensor<?x3xi64, #q>, tensor<?x3xi64, #r>) {
  %0 = optc.nms(%b, %s, max_per_class %l, iou_threshold %i, score_threshold %t) {center_box = false}
      : (tensor<2x?x4xT, #b>, tensor<2x3x?xT, #s>, tensor<1xi64>, tensor<f32>, tensor<f32>) -> tensor<?x3xi64, #p>
  %1 = optc.nms(%b, %s, max_per_class %m) {center_box = true} : (tensor<2x?x4xT, #b>, tensor<2x3x?xT, #s>, tensor<i64>) -> tensor<?x3xi64, #q>
  %2 = optc.nms(%b, %s) {center_box = false} : (tensor<2x?x4xT, #b>, tensor<2x3x?xT, #s>) -> tensor<?x3xi64, #r>
  return %0, %1, %2 : tensor<?x3xi64, #p>, tensor<?x3xi64, #q>, tensor<?x3xi64, #r>
})";

const char *kUnique = R"(
#d = #optc.dims<["n"]>
#p = #optc.dims<["p"]>
#q = #optc.dims<["q"]>
func.func @main(%x: tensor<?xT, #d>, %y: tensor<3x1000xT>) -> (tensor<?xT, #p>, tensor<?xi64, #p>, tensor<?xi64, #d>, tensor<?xi64, #p>, tensor<?xT, #q>, tensor<?xi64, #q>, tensor<3000xi64>, tensor<?xi64, #q>) {
  %0, %1, %2, %3 = optc.unique %x {sorted = true} : (tensor<?xT, #d>) -> (tensor<?xT, #p>, tensor<?xi64, #p>, tensor<?xi64, #d>, tensor<?xi64, #p>)
  %4, %5, %6, %7 = optc.unique %y {sorted = false} : (tensor<3x1000xT>) -> (tensor<?xT, #q>, tensor<?xi64, #q>, tensor<3000xi64>, tensor<?xi64, #q>)
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<?xT, #p>, tensor<?xi64, #p>, tensor<?xi64, #d>, tensor<?xi64, #p>, tensor<?xT, #q>, tensor<?xi64, #q>, tensor<3000xi64>, tensor<?xi64, #q>
})";

// Along the first, a middle and the last dim: equal ones, equal beginnings; none, and slices without elements.
const char *kUniqueSlices = R"(
#x = #optc.dims<["n", 2]>
#y = #optc.dims<[2, "n", 3]>
#d = #optc.dims<["n"]>
#p = #optc.dims<["p", 2]>
#q = #optc.dims<[2, "q", 3]>
#r = #optc.dims<[3, 5, "r"]>
#s = #optc.dims<["s", 0]>
#t = #optc.dims<["t", 3]>
func.func @main(%x: tensor<?x2xT, #x>, %y: tensor<2x?x3xT, #y>, %z: tensor<3x5x90xT>, %e: tensor<4x0xT>, %f: tensor<0x3xT>, %l: tensor<?xT, #d>)
    -> (tensor<?x2xT, #p>, tensor<?xi64, #optc.dims<["p"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["p"]>>, tensor<2x?x3xT, #q>, tensor<?xi64, #optc.dims<["q"]>>, tensor<?xi64, #d>,
        tensor<?xi64, #optc.dims<["q"]>>, tensor<3x5x?xT, #r>, tensor<?xi64, #optc.dims<["r"]>>, tensor<90xi64>, tensor<?xi64, #optc.dims<["r"]>>, tensor<4xi64>, tensor<?xi64, #optc.dims<["s"]>>,
        tensor<?x3xT, #t>, tensor<?xT, #optc.dims<["u"]>>) {
  %0, %1, %2, %3 = optc.unique %x {axis = 0 : i64, sorted = true} : (tensor<?x2xT, #x>) -> (tensor<?x2xT, #p>, tensor<?xi64, #optc.dims<["p"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["p"]>>)
  %4, %5, %6, %7 = optc.unique %y {axis = 1 : i64, sorted = false} : (tensor<2x?x3xT, #y>) -> (tensor<2x?x3xT, #q>, tensor<?xi64, #optc.dims<["q"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["q"]>>)
  %8, %9, %10, %11 = optc.unique %z {axis = 2 : i64, sorted = true} : (tensor<3x5x90xT>) -> (tensor<3x5x?xT, #r>, tensor<?xi64, #optc.dims<["r"]>>, tensor<90xi64>, tensor<?xi64, #optc.dims<["r"]>>)
  %12, %13, %14, %15 = optc.unique %e {axis = 0 : i64, sorted = false} : (tensor<4x0xT>) -> (tensor<?x0xT, #s>, tensor<?xi64, #optc.dims<["s"]>>, tensor<4xi64>, tensor<?xi64, #optc.dims<["s"]>>)
  %16, %17, %18, %19 = optc.unique %f {axis = 0 : i64, sorted = true} : (tensor<0x3xT>) -> (tensor<?x3xT, #t>, tensor<?xi64, #optc.dims<["t"]>>, tensor<0xi64>, tensor<?xi64, #optc.dims<["t"]>>)
  %20, %21, %22, %23 = optc.unique %l {axis = 0 : i64, sorted = true} : (tensor<?xT, #d>) -> (tensor<?xT, #optc.dims<["u"]>>, tensor<?xi64, #optc.dims<["u"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["u"]>>)
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %14, %15, %16, %20 : tensor<?x2xT, #p>, tensor<?xi64, #optc.dims<["p"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["p"]>>,
      tensor<2x?x3xT, #q>, tensor<?xi64, #optc.dims<["q"]>>, tensor<?xi64, #d>, tensor<?xi64, #optc.dims<["q"]>>, tensor<3x5x?xT, #r>, tensor<?xi64, #optc.dims<["r"]>>, tensor<90xi64>,
      tensor<?xi64, #optc.dims<["r"]>>, tensor<4xi64>, tensor<?xi64, #optc.dims<["s"]>>, tensor<?x3xT, #t>, tensor<?xT, #optc.dims<["u"]>>
})";

const char *kElements = R"(
#x = #optc.dims<["n", 6]>
#i = #optc.dims<["n", 9]>
func.func @main(%x: tensor<?x6xT, #x>, %i: tensor<?x9xi64, #i>, %u: tensor<?x9xT, #i>, %j: tensor<2x3x4xi32>, %y: tensor<5x3x4xT>)
    -> (tensor<?x9xT, #i>, tensor<2x3x4xT>, tensor<?x6xT, #x>) {
  %0 = optc.gather_elements %x, %i {axis = 1 : i64} : (tensor<?x6xT, #x>, tensor<?x9xi64, #i>) -> tensor<?x9xT, #i>
  %1 = optc.gather_elements %y, %j {axis = 0 : i64} : (tensor<5x3x4xT>, tensor<2x3x4xi32>) -> tensor<2x3x4xT>
  %2 = optc.scatter_elements %x, %i, %u {axis = 1 : i64, reduction = "none"} : (tensor<?x6xT, #x>, tensor<?x9xi64, #i>, tensor<?x9xT, #i>) -> tensor<?x6xT, #x>
  return %0, %1, %2 : tensor<?x9xT, #i>, tensor<2x3x4xT>, tensor<?x6xT, #x>
})";

const char *kTuples = R"(
#x = #optc.dims<[5, 4, "n"]>
#u = #optc.dims<[7, "n"]>
func.func @main(%x: tensor<5x4x?xT, #x>, %i: tensor<7x2xi64>, %u: tensor<7x?xT, #u>, %j: tensor<0x1xi64>, %v: tensor<0x4x?xT, #optc.dims<[0, 4, "n"]>>)
    -> (tensor<5x4x?xT, #x>, tensor<5x4x?xT, #x>) {
  %0 = optc.scatter_nd %x, %i, %u {reduction = "none"} : (tensor<5x4x?xT, #x>, tensor<7x2xi64>, tensor<7x?xT, #u>) -> tensor<5x4x?xT, #x>
  %1 = optc.scatter_nd %x, %j, %v {reduction = "none"} : (tensor<5x4x?xT, #x>, tensor<0x1xi64>, tensor<0x4x?xT, #optc.dims<[0, 4, "n"]>>) -> tensor<5x4x?xT, #x>
  return %0, %1 : tensor<5x4x?xT, #x>, tensor<5x4x?xT, #x>
})";

// Many updates of the same places, in their order.
const char *kCombinations = R"(
#x = #optc.dims<[5, "n"]>
#u = #optc.dims<[90, "n"]>
func.func @main(%x: tensor<5x?xT, #x>, %i: tensor<90x1xi64>, %u: tensor<90x?xT, #u>, %y: tensor<4x8xT>, %j: tensor<300x8xi64>, %v: tensor<300x8xT>,
                %e: tensor<0x8xi64>, %f: tensor<0x8xT>) -> (tensor<5x?xT, #x>, tensor<5x?xT, #x>, tensor<4x8xT>, tensor<4x8xT>, tensor<4x8xT>) {
  %0 = optc.scatter_nd %x, %i, %u {reduction = "add"} : (tensor<5x?xT, #x>, tensor<90x1xi64>, tensor<90x?xT, #u>) -> tensor<5x?xT, #x>
  %1 = optc.scatter_nd %x, %i, %u {reduction = "max"} : (tensor<5x?xT, #x>, tensor<90x1xi64>, tensor<90x?xT, #u>) -> tensor<5x?xT, #x>
  %2 = optc.scatter_elements %y, %j, %v {axis = 0 : i64, reduction = "mul"} : (tensor<4x8xT>, tensor<300x8xi64>, tensor<300x8xT>) -> tensor<4x8xT>
  %3 = optc.scatter_elements %y, %j, %v {axis = 0 : i64, reduction = "min"} : (tensor<4x8xT>, tensor<300x8xi64>, tensor<300x8xT>) -> tensor<4x8xT>
  %4 = optc.scatter_elements %y, %e, %f {axis = 0 : i64, reduction = "add"} : (tensor<4x8xT>, tensor<0x8xi64>, tensor<0x8xT>) -> tensor<4x8xT>
  return %0, %1, %2, %3, %4 : tensor<5x?xT, #x>, tensor<5x?xT, #x>, tensor<4x8xT>, tensor<4x8xT>, tensor<4x8xT>
})";

// Grids beyond the image, regions of random corners (the images' numbers are 0), windows over padding, sequences, channels.
const char *kSamples = R"(
#x = #optc.dims<[2, 11, "n", 6]>
#g = #optc.dims<[2, 4, "n", 2]>
#y = #optc.dims<[2, 11, 4, "n"]>
func.func @main(%x: tensor<2x11x?x6xT, #x>, %g: tensor<2x4x?x2xT, #g>, %v: tensor<1x2x3x4x5xT>, %h: tensor<1x2x2x2x3xT>, %s: tensor<1x3x9xT>, %p: tensor<1x7x1xT>)
    -> (tensor<2x11x4x?xT, #y>, tensor<2x11x4x?xT, #y>, tensor<2x11x4x?xT, #y>, tensor<1x2x2x2x2xT>, tensor<1x3x7xT>, tensor<2x11x?x6xT, #x>) {
  %0 = optc.grid_sample %x, %g {align_corners = false, mode = "linear", padding = "zeros"} : (tensor<2x11x?x6xT, #x>, tensor<2x4x?x2xT, #g>) -> tensor<2x11x4x?xT, #y>
  %1 = optc.grid_sample %x, %g {align_corners = true, mode = "cubic", padding = "reflection"} : (tensor<2x11x?x6xT, #x>, tensor<2x4x?x2xT, #g>) -> tensor<2x11x4x?xT, #y>
  %2 = optc.grid_sample %x, %g {align_corners = false, mode = "nearest", padding = "border"} : (tensor<2x11x?x6xT, #x>, tensor<2x4x?x2xT, #g>) -> tensor<2x11x4x?xT, #y>
  %3 = optc.grid_sample %v, %h {align_corners = false, mode = "linear", padding = "border"} : (tensor<1x2x3x4x5xT>, tensor<1x2x2x2x3xT>) -> tensor<1x2x2x2x2xT>
  %4 = optc.grid_sample %s, %p {align_corners = true, mode = "linear", padding = "zeros"} : (tensor<1x3x9xT>, tensor<1x7x1xT>) -> tensor<1x3x7xT>
  %5 = optc.lrn %x {alpha = 0.5 : f64, beta = 0.75 : f64, bias = 1.0 : f64, size = 4 : i64} : (tensor<2x11x?x6xT, #x>) -> tensor<2x11x?x6xT, #x>
  return %0, %1, %2, %3, %4, %5 : tensor<2x11x4x?xT, #y>, tensor<2x11x4x?xT, #y>, tensor<2x11x4x?xT, #y>, tensor<1x2x2x2x2xT>, tensor<1x3x7xT>, tensor<2x11x?x6xT, #x>
})";
// Regions of random corners, some of them beside the image; the images' numbers are those that are there.
const char *kRegions = R"(
#x = #optc.dims<[3, 5, "n", 6]>
func.func @main(%x: tensor<3x5x?x6xT, #x>, %r: tensor<5x5xT>, %z: tensor<2x3x5x7xT>, %s: tensor<3x5xf64>) -> (tensor<5x5x2x3xT>, tensor<3x3x7x1xT>) {
  %0 = optc.max_roi_pool %x, %r {height = 2 : i64, width = 3 : i64, spatial_scale = 4.0 : f64} : (tensor<3x5x?x6xT, #x>, tensor<5x5xT>) -> tensor<5x5x2x3xT>
  %1 = optc.max_roi_pool %z, %s {height = 7 : i64, width = 1 : i64, spatial_scale = 1.5 : f64} : (tensor<2x3x5x7xT>, tensor<3x5xf64>) -> tensor<3x3x7x1xT>
  return %0, %1 : tensor<5x5x2x3xT>, tensor<3x3x7x1xT>
})";
const char *kResized = R"(
#x = #optc.dims<[2, "n", 6]>
#y = #optc.dims<[2, "2*n", 9]>
func.func @main(%x: tensor<2x?x6xT, #x>, %z: tensor<1x2x17x13xT>) -> (tensor<2x?x9xT, #y>, tensor<1x2x5x7xT>, tensor<1x2x8x9xT>) {
  %0 = optc.resize %x {scales = array<f64: 1.0, 2.0, 1.5>, mode = "cubic", coordinates = "half_pixel", exclude_outside = true} : (tensor<2x?x6xT, #x>) -> tensor<2x?x9xT, #y>
  %1 = optc.resize %z {scales = array<f64: 1.0, 1.0, 0.0, 0.0>, mode = "linear", coordinates = "half_pixel", antialias = true} : (tensor<1x2x17x13xT>) -> tensor<1x2x5x7xT>
  %2 = optc.resize %z {scales = array<f64: 1.0, 1.0, 0.0, 0.0>, roi = array<f64: 0.0, 0.0, 0.3, -0.2, 1.0, 1.0, 0.6, 0.8>, mode = "nearest", coordinates = "tf_crop_and_resize",
      extrapolation_value = 3.0 : f64} : (tensor<1x2x17x13xT>) -> tensor<1x2x8x9xT>
  return %0, %1, %2 : tensor<2x?x9xT, #y>, tensor<1x2x5x7xT>, tensor<1x2x8x9xT>
})";
const char *kWindows = R"(
#x = #optc.dims<["n", 3, 9, 8]>
#y = #optc.dims<["n", 3, 5, 6]>
func.func @main(%x: tensor<?x3x9x8xT, #x>, %s: tensor<2x3x20xT>) -> (tensor<?x3x5x6xT, #y>, tensor<?x3x5x6xi64, #y>, tensor<2x3x6xT>, tensor<2x3x6xi64>) {
  %0, %1 = optc.max_pool_indices %x {window = array<i64: 3, 3>, strides = array<i64: 2, 1>, dilations = array<i64: 1, 2>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>,
      ceil = false, column_major = true} : (tensor<?x3x9x8xT, #x>) -> (tensor<?x3x5x6xT, #y>, tensor<?x3x5x6xi64, #y>)
  %2, %3 = optc.max_pool_indices %s {window = array<i64: 4>, strides = array<i64: 3>, dilations = array<i64: 1>, pads_low = array<i64: 0>, pads_high = array<i64: 0>,
      ceil = false, column_major = false} : (tensor<2x3x20xT>) -> (tensor<2x3x6xT>, tensor<2x3x6xi64>)
  return %0, %1, %2, %3 : tensor<?x3x5x6xT, #y>, tensor<?x3x5x6xi64, #y>, tensor<2x3x6xT>, tensor<2x3x6xi64>
})";

// Filters that are operands: groups, one channel a group over three dims, transposed ones with dilation and places between the pixels.
const char *kConvolutions = R"(
#x = #optc.dims<["n", 7, 6, 12]>
#y = #optc.dims<["n", 4, 7, 12]>
#t = #optc.dims<["n", 15, 7, 18]>
func.func @main(%x: tensor<?x7x6x12xT, #x>, %w: tensor<3x2x4x12xT>, %u: tensor<3x2x12x9xT>, %v: tensor<2x4x5x6x6xT>, %z: tensor<3x2x3x1x6xT>, %k: tensor<1x9x2xT>, %f: tensor<4x2x3xT>)
    -> (tensor<?x4x7x12xT, #y>, tensor<?x15x7x18xT, #t>, tensor<2x4x6x2x6xT>, tensor<1x17x3xT>) {
  %0 = optc.conv %x, %w {dilations = array<i64: 1, 2>, groups = 3 : i64, layout = "nhwc", pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 1>, strides = array<i64: 2, 1>}
      : (tensor<?x7x6x12xT, #x>, tensor<3x2x4x12xT>) -> tensor<?x4x7x12xT, #y>
  %1 = optc.conv_transpose %x, %u {dilations = array<i64: 2, 1>, groups = 2 : i64, layout = "nhwc", output_padding = array<i64: 0, 1>, pads_high = array<i64: 1, 0>, pads_low = array<i64: 1, 1>, strides = array<i64: 2, 1>}
      : (tensor<?x7x6x12xT, #x>, tensor<3x2x12x9xT>) -> tensor<?x15x7x18xT, #t>
  %2 = optc.conv %v, %z {dilations = array<i64: 1, 1, 2>, groups = 6 : i64, layout = "nhwc", pads_high = array<i64: 1, 1, 1>, pads_low = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 2>}
      : (tensor<2x4x5x6x6xT>, tensor<3x2x3x1x6xT>) -> tensor<2x4x6x2x6xT>
  %3 = optc.conv_transpose %k, %f {dilations = array<i64: 1>, groups = 1 : i64, layout = "nhwc", output_padding = array<i64: 0>, pads_high = array<i64: 1>, pads_low = array<i64: 2>, strides = array<i64: 2>}
      : (tensor<1x9x2xT>, tensor<4x2x3xT>) -> tensor<1x17x3xT>
  return %0, %1, %2, %3 : tensor<?x4x7x12xT, #y>, tensor<?x15x7x18xT, #t>, tensor<2x4x6x2x6xT>, tensor<1x17x3xT>
})";

// Columns over a padded image; taps at places beside it, with masks, in groups.
const char *kColumnsOfImages = R"(
#c = #optc.dims<["n", 12, 28]>
#i = #optc.dims<["n", 2, 8, 9]>
func.func @main(%c: tensor<?x12x28xT, #c>, %e: tensor<1x4x3xT>) -> (tensor<?x2x8x9xT, #i>, tensor<1x2x7xT>) {
  %0 = optc.col2im %c {block = #optc.dims<[2, 3]>, dilations = array<i64: 1, 2>, pads = array<i64: 0, 1, 0, 1>, strides = array<i64: 1, 2>} : (tensor<?x12x28xT, #c>) -> tensor<?x2x8x9xT, #i>
  %1 = optc.col2im %e {block = #optc.dims<[2]>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, strides = array<i64: 2>} : (tensor<1x4x3xT>) -> tensor<1x2x7xT>
  return %0, %1 : tensor<?x2x8x9xT, #i>, tensor<1x2x7xT>
})";
const char *kDeformed = R"(
#x = #optc.dims<["n", 6, 7, 6]>
#o = #optc.dims<["n", 24, 4, 5]>
#m = #optc.dims<["n", 12, 4, 5]>
#y = #optc.dims<["n", 20, 4, 5]>
func.func @main(%x: tensor<?x6x7x6xT, #x>, %w: tensor<20x3x3x2xT>, %o: tensor<?x24x4x5xT, #o>, %m: tensor<?x12x4x5xT, #m>, %v: tensor<1x2x3x4x3xT>, %u: tensor<3x2x1x2x2xT>, %p: tensor<1x12x3x3x2xT>)
    -> (tensor<?x20x4x5xT, #y>, tensor<1x3x3x3x2xT>) {
  %0 = optc.deform_conv %x, %w, %o, %m {dilations = array<i64: 1, 1>, groups = 2 : i64, offset_groups = 2 : i64, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>}
      : (tensor<?x6x7x6xT, #x>, tensor<20x3x3x2xT>, tensor<?x24x4x5xT, #o>, tensor<?x12x4x5xT, #m>) -> tensor<?x20x4x5xT, #y>
  %1 = optc.deform_conv %v, %u, %p {dilations = array<i64: 1, 1, 1>, groups = 1 : i64, offset_groups = 1 : i64, pads_low = array<i64: 0, 0, 0>, strides = array<i64: 1, 1, 1>}
      : (tensor<1x2x3x4x3xT>, tensor<3x2x1x2x2xT>, tensor<1x12x3x3x2xT>) -> tensor<1x3x3x3x2xT>
  return %0, %1 : tensor<?x20x4x5xT, #y>, tensor<1x3x3x3x2xT>
})";

// Of lengths that are powers of two and others, along and across, cut and filled up, back from one side; matrices.
const char *kTransforms = R"(
#x = #optc.dims<["n", 16, 2]>
#y = #optc.dims<["n", 9, 2]>
#c = #optc.dims<[3, "n", 5, 1]>
#d = #optc.dims<[3, "n", 5, 2]>
#m = #optc.dims<["n", 5, 5]>
#r = #optc.dims<["n"]>
func.func @main(%x: tensor<?x16x2xT, #x>, %c: tensor<3x?x5x1xT, #c>, %s: tensor<4x7x2xT>, %e: tensor<2x12x1xT>, %m: tensor<?x5x5xT, #m>, %q: tensor<2x1x1xT>, %l: tensor<3x40x40xT>)
    -> (tensor<?x16x2xT, #x>, tensor<?x9x2xT, #y>, tensor<3x?x5x2xT, #d>, tensor<4x12x1xT>, tensor<2x20x2xT>, tensor<2x6x2xT>, tensor<?xT, #r>, tensor<2xT>, tensor<3xT>) {
  %0 = optc.dft %x {axis = 1 : i64, inverse = true, length = #optc.dims<[]>, onesided = false} : (tensor<?x16x2xT, #x>) -> tensor<?x16x2xT, #x>
  %1 = optc.dft %x {axis = 1 : i64, inverse = false, length = #optc.dims<[]>, onesided = true} : (tensor<?x16x2xT, #x>) -> tensor<?x9x2xT, #y>
  %2 = optc.dft %c {axis = 1 : i64, inverse = false, length = #optc.dims<[]>, onesided = false} : (tensor<3x?x5x1xT, #c>) -> tensor<3x?x5x2xT, #d>
  %3 = optc.dft %s {axis = 1 : i64, inverse = true, length = #optc.dims<[12]>, onesided = true} : (tensor<4x7x2xT>) -> tensor<4x12x1xT>
  %4 = optc.dft %e {axis = 1 : i64, inverse = false, length = #optc.dims<[20]>, onesided = false} : (tensor<2x12x1xT>) -> tensor<2x20x2xT>
  %5 = optc.dft %e {axis = 1 : i64, inverse = false, length = #optc.dims<[11]>, onesided = true} : (tensor<2x12x1xT>) -> tensor<2x6x2xT>
  %6 = optc.det %m : (tensor<?x5x5xT, #m>) -> tensor<?xT, #r>
  %7 = optc.det %q : (tensor<2x1x1xT>) -> tensor<2xT>
  %8 = optc.det %l : (tensor<3x40x40xT>) -> tensor<3xT>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : tensor<?x16x2xT, #x>, tensor<?x9x2xT, #y>, tensor<3x?x5x2xT, #d>, tensor<4x12x1xT>, tensor<2x20x2xT>, tensor<2x6x2xT>, tensor<?xT, #r>, tensor<2xT>, tensor<3xT>
})";

// Corners that are several rows from each other, and several of one row.
const char *kMel = R"(
#d = #optc.dims<["n"]>
#y = #optc.dims<["floordiv(n,2)+1", 5]>
#z = #optc.dims<[201, "n"]>
func.func @main(%x: tensor<?xT, #d>, %r: tensor<i64>, %l: tensor<f32>, %u: tensor<f32>, %s: tensor<1xi32>, %a: tensor<1xf64>, %b: tensor<1xf64>) -> (tensor<?x5xT, #y>, tensor<201x?xT, #z>) {
  %0 = optc.mel_weight_matrix %r, %l, %u {length = #optc.dims<["n"]>} : (tensor<i64>, tensor<f32>, tensor<f32>) -> tensor<?x5xT, #y>
  %1 = optc.mel_weight_matrix %s, %a, %b {length = #optc.dims<[401]>} : (tensor<1xi32>, tensor<1xf64>, tensor<1xf64>) -> tensor<201x?xT, #z>
  return %0, %1 : tensor<?x5xT, #y>, tensor<201x?xT, #z>
})";

const char *kRandom = R"(
#d = #optc.dims<["n", 3]>
func.func @main(%x: tensor<?x3xT, #d>) -> (tensor<?x3xT, #d>, tensor<7xT>, tensor<?x3xT, #d>) {
  %0 = optc.random {distribution = "uniform", high = 2.5 : f64, low = -1.0 : f64, seed = 1234567890123 : i64} : tensor<?x3xT, #d>
  %1 = optc.random {distribution = "normal", high = 0.5 : f64, low = 3.0 : f64, seed = -7 : i64} : tensor<7xT>
  %2 = optc.random {distribution = "normal", high = 1.0 : f64, low = 0.0 : f64, seed = 0 : i64} : tensor<?x3xT, #d>
  return %0, %1, %2 : tensor<?x3xT, #d>, tensor<7xT>, tensor<?x3xT, #d>
})";

const Model kLibrary[] = {
    {"f32 f16 f64", kRandom}, {"f32 f64 f16 i32 ui8", kMel},
    {"f32 f64 i32 i64", kConvolutions}, {"f32 f16 i64", kColumnsOfImages}, {"f32 f16", kDeformed}, {"f32 f64", kTransforms},
    {"f32 f16 f64", kSamples}, {"f32 f16 bf16 f64", kRegions}, {"f32 f16 ui8", kResized}, {"f32 i8 ui8 f16", kWindows},
    {"f32 f16 f64 i32 ui8 i64", kScans}, {"f32 f16 bf16 f64 i64 i32 ui8", kSorts}, {"f32 i1 i64 f16", kPositions}, {"f32 f16", kSuppression}, {"f32 i64 ui8 f16", kUnique}, {"f32 f64 f16 bf16 i64 i32 i8 ui8", kUniqueSlices},
    {"f32 i64 i1 f16", kElements},       {"f32 i8 bf16", kTuples},                 {"f32 i64 ui8 f16", kCombinations},
};

// A row, several in blocks that are not whole; states, peepholes, both directions, every cell.
const char *kLstm = R"(
#x = #optc.dims<["n", 1, 8]>
#y = #optc.dims<["n", 1, 20]>
func.func @main(%x: tensor<?x1x8xT, #x>, %w: tensor<80x8xT>, %r: tensor<80x20xT>, %b: tensor<160xT>, %h: tensor<1x20xT>, %c: tensor<1x20xT>, %p: tensor<60xT>)
    -> (tensor<?x1x20xT, #y>, tensor<1x20xT>, tensor<1x20xT>, tensor<?x1x20xT, #y>) {
  %0, %1, %2 = optc.recurrent(%x w %w r %r bias %b h0 %h c0 %c peephole %p) {cell = "lstm", reverse = false, activations = ["sigmoid", "tanh", "tanh"],
      alpha = array<f64: 0.0, 0.0, 0.0>, beta = array<f64: 0.0, 0.0, 0.0>, clip = 0.5 : f64, input_forget = true}
    : (tensor<?x1x8xT, #x>, tensor<80x8xT>, tensor<80x20xT>, tensor<160xT>, tensor<1x20xT>, tensor<1x20xT>, tensor<60xT>) -> (tensor<?x1x20xT, #y>, tensor<1x20xT>, tensor<1x20xT>)
  %3, %4, %5 = optc.recurrent(%x w %w r %r) {cell = "lstm", reverse = true, activations = ["hardsigmoid", "softsign", "scaledtanh"],
      alpha = array<f64: 0.2, 0.0, 1.5>, beta = array<f64: 0.5, 0.0, 0.7>}
    : (tensor<?x1x8xT, #x>, tensor<80x8xT>, tensor<80x20xT>) -> (tensor<?x1x20xT, #y>, tensor<1x20xT>, tensor<1x20xT>)
  return %0, %1, %2, %3 : tensor<?x1x20xT, #y>, tensor<1x20xT>, tensor<1x20xT>, tensor<?x1x20xT, #y>
})";
const char *kGru = R"(
#x = #optc.dims<[4, "n", 8]>
#y = #optc.dims<[4, "n", 20]>
#h = #optc.dims<["n", 20]>
func.func @main(%x: tensor<4x?x8xT, #x>, %w: tensor<60x8xT>, %r: tensor<60x20xT>, %b: tensor<120xT>, %h: tensor<?x20xT, #h>)
    -> (tensor<4x?x20xT, #y>, tensor<?x20xT, #h>, tensor<4x?x20xT, #y>, tensor<?x20xT, #h>) {
  %0, %1, %2 = optc.recurrent(%x w %w r %r bias %b h0 %h) {cell = "gru", reverse = false, activations = ["sigmoid", "tanh"],
      alpha = array<f64: 0.0, 0.0>, beta = array<f64: 0.0, 0.0>, reset_after = true}
    : (tensor<4x?x8xT, #x>, tensor<60x8xT>, tensor<60x20xT>, tensor<120xT>, tensor<?x20xT, #h>) -> (tensor<4x?x20xT, #y>, tensor<?x20xT, #h>, tensor<?x20xT, #h>)
  %3, %4, %5 = optc.recurrent(%x w %w r %r bias %b) {cell = "gru", reverse = true, activations = ["sigmoid", "elu"],
      alpha = array<f64: 0.0, 0.8>, beta = array<f64: 0.0, 0.0>}
    : (tensor<4x?x8xT, #x>, tensor<60x8xT>, tensor<60x20xT>, tensor<120xT>) -> (tensor<4x?x20xT, #y>, tensor<?x20xT, #h>, tensor<?x20xT, #h>)
  return %0, %1, %3, %4 : tensor<4x?x20xT, #y>, tensor<?x20xT, #h>, tensor<4x?x20xT, #y>, tensor<?x20xT, #h>
})";
const char *kBothDirections = R"(
func.func @main(%x: tensor<5x11x8xT>, %w0: tensor<16x8xT>, %w1: tensor<16x8xT>, %r0: tensor<16x16xT>, %r1: tensor<16x16xT>) -> (tensor<5x2x11x16xT>, tensor<2x11x16xT>) {
  %f, %fh, %fc = optc.recurrent(%x w %w0 r %r0) {cell = "rnn", reverse = false, activations = ["tanh"], alpha = array<f64: 0.0>, beta = array<f64: 0.0>}
    : (tensor<5x11x8xT>, tensor<16x8xT>, tensor<16x16xT>) -> (tensor<5x11x16xT>, tensor<11x16xT>, tensor<11x16xT>)
  %b, %bh, %bc = optc.recurrent(%x w %w1 r %r1) {cell = "rnn", reverse = true, activations = ["tanh"], alpha = array<f64: 0.0>, beta = array<f64: 0.0>}
    : (tensor<5x11x8xT>, tensor<16x8xT>, tensor<16x16xT>) -> (tensor<5x11x16xT>, tensor<11x16xT>, tensor<11x16xT>)
  %f1 = optc.reshape %f : (tensor<5x11x16xT>) -> tensor<5x1x11x16xT>
  %b1 = optc.reshape %b : (tensor<5x11x16xT>) -> tensor<5x1x11x16xT>
  %y = optc.concat %f1, %b1 {axis = 1 : i64} : (tensor<5x1x11x16xT>, tensor<5x1x11x16xT>) -> tensor<5x2x11x16xT>
  %f2 = optc.reshape %fh : (tensor<11x16xT>) -> tensor<1x11x16xT>
  %b2 = optc.reshape %bh : (tensor<11x16xT>) -> tensor<1x11x16xT>
  %z = optc.concat %f2, %b2 {axis = 0 : i64} : (tensor<1x11x16xT>, tensor<1x11x16xT>) -> tensor<2x11x16xT>
  return %y, %z : tensor<5x2x11x16xT>, tensor<2x11x16xT>
})";

const Model kRecurrent[] = {{"f32", kLstm}, {"f32", kGru}, {"f32", kBothDirections}};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> optc::smallLibrary(mlir::MLIRContext &context) { return joinModels(kLibrary, context); }
mlir::OwningOpRef<mlir::ModuleOp> optc::smallRecurrent(mlir::MLIRContext &context) { return joinModels(kRecurrent, context); }
