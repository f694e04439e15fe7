#include <optc.h>
#include <stdio.h>
int main(int argc, char **argv) {
  optc_model *model;
  optc_status s = optc_model_open(argc > 1 ? argv[1] : "mnist.so", &model);
  if (s.code) return fprintf(stderr, "%s\n", s.message), 1;
  static float image[28 * 28], scores[10];
  for (int y = 4; y < 24; y++) image[y * 28 + 14] = image[y * 28 + 15] = 255;
  int64_t in_shape[] = {1, 1, 28, 28}, out_shape[] = {1, 10};
  optc_tensor in = optc_tensor_of(image, OPTC_F32, 4, in_shape), out = optc_tensor_of(scores, OPTC_F32, 2, out_shape);
  s = optc_run(model, NULL, &in, 1, &out, 1);
  if (s.code) return fprintf(stderr, "%s\n", s.message), 1;
  int best = 0;
  for (int i = 1; i < 10; i++) best = scores[i] > scores[best] ? i : best;
  printf("the digit is %d\n", best);
  optc_model_close(model);
}
