// RUN: optc-opt --lower-recurrent %s | FileCheck %s

// The products with the input and both biases come before the kernel, r in panels of 16 units with all gates.
// CHECK-LABEL: @lstm
// CHECK: %[[X:.*]] = optc.contract %arg0
// CHECK: %[[XB:.*]] = optc.add %[[X]]
// CHECK: %[[R:.*]] = optc.reshape {{.*}} -> tensor<1x2x20x4x16xf32>
// CHECK: %[[K:.*]]:2 = optc.kernel "recurrent"(%[[XB]], %[[R]]) : ({{.*}}) -> (tensor<?x?x20xf32, #optc.dims<["t", "b", 20]>>, tensor<?x20xf32, #optc.dims<["b", 20]>>)
// CHECK-NOT: bias
// CHECK: %[[Y:.*]], %{{.*}}, %[[C:.*]] = optc.recurrent({{.*}} r {{.*}}) {{.*}}cell = "lstm"
// CHECK: optc.yield %[[Y]], %[[C]]
// CHECK: return %[[K]]#0, %[[K]]#1
func.func @lstm(%x: tensor<?x?x8xf32, #optc.dims<["t", "b", 8]>>, %w: tensor<80x8xf32>, %r: tensor<80x20xf32>, %bias: tensor<160xf32>)
    -> (tensor<?x?x20xf32, #optc.dims<["t", "b", 20]>>, tensor<?x20xf32, #optc.dims<["b", 20]>>) {
  %y, %h, %c = optc.recurrent(%x w %w r %r bias %bias) {cell = "lstm", reverse = false, activations = ["sigmoid", "tanh", "tanh"],
      alpha = array<f64: 0.0, 0.0, 0.0>, beta = array<f64: 0.0, 0.0, 0.0>}
    : (tensor<?x?x8xf32, #optc.dims<["t", "b", 8]>>, tensor<80x8xf32>, tensor<80x20xf32>, tensor<160xf32>)
    -> (tensor<?x?x20xf32, #optc.dims<["t", "b", 20]>>, tensor<?x20xf32, #optc.dims<["b", 20]>>, tensor<?x20xf32, #optc.dims<["b", 20]>>)
  return %y, %c : tensor<?x?x20xf32, #optc.dims<["t", "b", 20]>>, tensor<?x20xf32, #optc.dims<["b", 20]>>
}

// Two directions whose results are stacked share the product and the kernel, which makes the stack.
// CHECK-LABEL: @both
// CHECK-COUNT-1: optc.contract
// CHECK: %[[K:.*]] = optc.kernel "recurrent"({{.*}}) : {{.*}} -> tensor<5x2x3x16xf32>
// CHECK: %[[F:.*]], %{{.*}}, %{{.*}} = optc.recurrent({{.*}}reverse = false
// CHECK: %[[B:.*]], %{{.*}}, %{{.*}} = optc.recurrent({{.*}}reverse = true
// CHECK: optc.concat
// CHECK: return %[[K]]
func.func @both(%x: tensor<5x3x8xf32>, %w0: tensor<16x8xf32>, %w1: tensor<16x8xf32>, %r0: tensor<16x16xf32>, %r1: tensor<16x16xf32>)
    -> tensor<5x2x3x16xf32> {
  %f, %fh, %fc = optc.recurrent(%x w %w0 r %r0) {cell = "rnn", reverse = false, activations = ["tanh"], alpha = array<f64: 0.0>, beta = array<f64: 0.0>}
    : (tensor<5x3x8xf32>, tensor<16x8xf32>, tensor<16x16xf32>) -> (tensor<5x3x16xf32>, tensor<3x16xf32>, tensor<3x16xf32>)
  %b, %bh, %bc = optc.recurrent(%x w %w1 r %r1) {cell = "rnn", reverse = true, activations = ["tanh"], alpha = array<f64: 0.0>, beta = array<f64: 0.0>}
    : (tensor<5x3x8xf32>, tensor<16x8xf32>, tensor<16x16xf32>) -> (tensor<5x3x16xf32>, tensor<3x16xf32>, tensor<3x16xf32>)
  %f1 = optc.reshape %f : (tensor<5x3x16xf32>) -> tensor<5x1x3x16xf32>
  %b1 = optc.reshape %b : (tensor<5x3x16xf32>) -> tensor<5x1x3x16xf32>
  %y = optc.concat %f1, %b1 {axis = 1 : i64} : (tensor<5x1x3x16xf32>, tensor<5x1x3x16xf32>) -> tensor<5x2x3x16xf32>
  return %y : tensor<5x2x3x16xf32>
}

// A gru that resets the state before its product with the candidate's weights makes two products a step. Of the biases
// only that which the reset gate scales, in the other kind, stays in the kernel.
// CHECK-LABEL: @gru
// CHECK: optc.kernel "recurrent"(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<5x3x48xf32>, tensor<1x1x16x2x16xf32>, tensor<1x1x16x1x16xf32>)
// CHECK: optc.kernel "recurrent"(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<5x3x48xf32>, tensor<1x1x16x3x16xf32>, tensor<1x16xf32>)
func.func @gru(%x: tensor<5x3x8xf32>, %w: tensor<48x8xf32>, %r: tensor<48x16xf32>, %bias: tensor<96xf32>) -> (tensor<3x16xf32>, tensor<3x16xf32>) {
  %y, %h, %c = optc.recurrent(%x w %w r %r bias %bias) {cell = "gru", reverse = false, activations = ["sigmoid", "tanh"],
      alpha = array<f64: 0.0, 0.0>, beta = array<f64: 0.0, 0.0>}
    : (tensor<5x3x8xf32>, tensor<48x8xf32>, tensor<48x16xf32>, tensor<96xf32>) -> (tensor<5x3x16xf32>, tensor<3x16xf32>, tensor<3x16xf32>)
  %z, %i, %d = optc.recurrent(%x w %w r %r bias %bias) {cell = "gru", reverse = false, activations = ["sigmoid", "tanh"],
      alpha = array<f64: 0.0, 0.0>, beta = array<f64: 0.0, 0.0>, reset_after = true}
    : (tensor<5x3x8xf32>, tensor<48x8xf32>, tensor<48x16xf32>, tensor<96xf32>) -> (tensor<5x3x16xf32>, tensor<3x16xf32>, tensor<3x16xf32>)
  return %h, %i : tensor<3x16xf32>, tensor<3x16xf32>
}

// A batch that is not known to be that of the initial state is checked at run time, by the library.
// CHECK-LABEL: @unknown
// CHECK-NOT: optc.kernel
func.func @unknown(%x: tensor<5x?x8xf32, #optc.dims<[5, "b", 8]>>, %w: tensor<16x8xf32>, %r: tensor<16x16xf32>,
                   %h0: tensor<?x16xf32, #optc.dims<["other", 16]>>) -> tensor<?x16xf32, #optc.dims<["b", 16]>> {
  %y, %h, %c = optc.recurrent(%x w %w r %r h0 %h0) {cell = "rnn", reverse = false, activations = ["tanh"], alpha = array<f64: 0.0>, beta = array<f64: 0.0>}
    : (tensor<5x?x8xf32, #optc.dims<[5, "b", 8]>>, tensor<16x8xf32>, tensor<16x16xf32>, tensor<?x16xf32, #optc.dims<["other", 16]>>)
    -> (tensor<5x?x16xf32, #optc.dims<[5, "b", 16]>>, tensor<?x16xf32, #optc.dims<["b", 16]>>, tensor<?x16xf32, #optc.dims<["b", 16]>>)
  return %h : tensor<?x16xf32, #optc.dims<["b", 16]>>
}
