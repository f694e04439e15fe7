// RUN: optc-opt --form-row-kernels %s | FileCheck %s

// The sum is needed by the normalisation and outside: it becomes a result.
// CHECK-LABEL: @residual
// CHECK: %[[K:.*]]:2 = optc.kernel "rows"(%arg0, %arg1, %arg2)
// CHECK: %[[S:.*]] = optc.add %arg3, %arg4
// CHECK: %[[M:.*]] = optc.reduce %[[S]] {axes = array<i64: 1>, kind = "mean"}
// CHECK: optc.reduce {{.*}} {axes = array<i64: 1>, kind = "mean"}
// CHECK: optc.rsqrt
// CHECK: %[[Y:.*]] = optc.tanh
// CHECK: optc.yield %[[S]], %[[Y]]
// CHECK: return %[[K]]#0, %[[K]]#1
func.func @residual(%x: tensor<4x8xf32>, %r: tensor<4x8xf32>, %w: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %s = optc.add %x, %r : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %n = optc.normalize %s scale %w {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %y = optc.tanh %n : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %s, %y : tensor<4x8xf32>, tensor<4x8xf32>
}

// A user of the sum that stands before the softmax keeps the sum outside.
// CHECK-LABEL: @order
// CHECK: %[[S:.*]] = optc.add
// CHECK: %[[T:.*]] = optc.transpose %[[S]]
// CHECK: optc.kernel "rows"(%[[S]]
func.func @order(%x: tensor<4x8xf32>, %r: tensor<4x8xf32>) -> (tensor<8x4xf32>, tensor<4x8xf32>) {
  %s = optc.add %x, %r : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = optc.transpose %s {permutation = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %y = optc.softmax %s {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %t, %y : tensor<8x4xf32>, tensor<4x8xf32>
}

// Dims 0 and 2 cannot be merged.
// CHECK-LABEL: @apart
// CHECK-NOT: optc.kernel
func.func @apart(%x: tensor<4x8x3xf32>) -> tensor<8xf32> {
  %y = optc.reduce %x {axes = array<i64: 0, 2>, kind = "sum"} : (tensor<4x8x3xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// What codes stand for is computed where it is read, though another op reads it, too; a zero point that all share is no operand.
// CHECK-LABEL: func.func @codes
// CHECK: optc.dequantize %arg0
// CHECK: optc.kernel "rows"(%arg0) : (tensor<4x8x64xui8>) -> tensor<4x8xf32> {
// CHECK: optc.dequantize
// CHECK: optc.reduce
// CHECK: optc.transpose
func.func @codes(%q: tensor<4x8x64xui8>) -> (tensor<4x8xf32>, tensor<64x8x4xf32>) {
  %s = optc.constant dense<0.5> : tensor<f32>
  %z = optc.constant dense<7> : tensor<ui8>
  %sb = optc.broadcast %s : (tensor<f32>) -> tensor<4x8x64xf32>
  %zb = optc.broadcast %z : (tensor<ui8>) -> tensor<4x8x64xui8>
  %x = optc.dequantize %q, %sb, %zb : (tensor<4x8x64xui8>, tensor<4x8x64xf32>, tensor<4x8x64xui8>) -> tensor<4x8x64xf32>
  %m = optc.reduce %x {axes = array<i64: 2>, kind = "mean"} : (tensor<4x8x64xf32>) -> tensor<4x8xf32>
  %t = optc.transpose %x {permutation = array<i64: 2, 1, 0>} : (tensor<4x8x64xf32>) -> tensor<64x8x4xf32>
  return %m, %t : tensor<4x8xf32>, tensor<64x8x4xf32>
}

// The row's number is read by two ways, each before the other's end: both are in the kernel. What is outside of it comes after it.
// CHECK-LABEL: @ways
// CHECK: optc.kernel "rows"
// CHECK: optc.quantize
// CHECK: optc.yield
// CHECK-NOT: optc.quantize
// CHECK: optc.reshape
func.func @ways(%x: tensor<4x8xf32>, %g: tensor<8xf32>) -> (tensor<4x8xui8>, tensor<4x1xf32>) {
  %n = optc.normalize %x scale %g {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %m = optc.reduce %n {axes = array<i64: 1>, kind = "max"} : (tensor<4x8xf32>) -> tensor<4xf32>
  %o = optc.reshape %m : (tensor<4xf32>) -> tensor<4x1xf32>
  %c = optc.cast %m : (tensor<4xf32>) -> tensor<4xui8>
  %r = optc.reshape %m : (tensor<4xf32>) -> tensor<4x1xf32>
  %b = optc.broadcast %r : (tensor<4x1xf32>) -> tensor<4x8xf32>
  %s = optc.reshape %c : (tensor<4xui8>) -> tensor<4x1xui8>
  %d = optc.broadcast %s : (tensor<4x1xui8>) -> tensor<4x8xui8>
  %q = optc.quantize %n, %b, %d : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xui8>) -> tensor<4x8xui8>
  return %q, %o : tensor<4x8xui8>, tensor<4x1xf32>
}

// What stays outside moves behind the kernel only where it needs it: these have users before it.
// CHECK-LABEL: @stays
// CHECK: %[[R:.*]] = optc.reshape %arg2
// CHECK: %[[B:.*]] = optc.broadcast %[[R]]
// CHECK: optc.transpose %[[B]]
// CHECK: optc.kernel "rows"
func.func @stays(%x: tensor<4x8xf32>, %g: tensor<8xf32>, %v: tensor<4xf32>) -> (tensor<8x4xf32>, tensor<4x8xf32>) {
  %r = optc.reshape %v : (tensor<4xf32>) -> tensor<4x1xf32>
  %b = optc.broadcast %r : (tensor<4x1xf32>) -> tensor<4x8xf32>
  %t = optc.transpose %b {permutation = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %m = optc.mul %x, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %n = optc.normalize %m scale %g {axis = 1 : i64, epsilon = 1.0e-5 : f64, kind = "layer"} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return %t, %n : tensor<8x4xf32>, tensor<4x8xf32>
}
