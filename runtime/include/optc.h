/*===- optc.h - Running compiled models ---------------------------*- C -*-===*\
|*
|* A whole program (cc app.c -loptc):
|*
|*   #include <optc.h>
|*   #include <stdio.h>
|*   int main(void) {
|*     optc_model *model;
|*     optc_status s = optc_model_open("mnist.so", &model);
|*     if (s.code) return fprintf(stderr, "%s\n", s.message), 1;
|*     static float image[1 * 1 * 28 * 28], scores[10];
|*     int64_t in_shape[] = {1, 1, 28, 28}, out_shape[] = {1, 10};
|*     optc_tensor in = optc_tensor_of(image, OPTC_F32, 4, in_shape);
|*     optc_tensor out = optc_tensor_of(scores, OPTC_F32, 2, out_shape);
|*     s = optc_run(model, NULL, &in, 1, &out, 1);
|*     if (s.code) return fprintf(stderr, "%s\n", s.message), 1;
|*     for (int i = 0; i < 10; i++) printf("%d: %g\n", i, scores[i]);
|*     optc_model_close(model);
|*   }
|*
\*===----------------------------------------------------------------------===*/
#ifndef OPTC_H
#define OPTC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OPTC_API __attribute__((visibility("default")))
#else
#define OPTC_API
#endif

/** Outcome of a call. code 0 is success; the message is one line that names what is wrong. */
typedef struct optc_status {
  int32_t code;
  char message[508];
} optc_status;

enum optc_code {
  OPTC_OK = 0,
  OPTC_BAD_ARGUMENT = 1, /**< a wrong name, type, rank or dim; memory too small */
  OPTC_BAD_ARTEFACT = 2, /**< not a model, damaged, or of another version */
  OPTC_UNAVAILABLE = 3,  /**< this CPU lacks what the model needs, or there is no GPU, driver or code for the one there is */
  OPTC_RUN_FAILED = 4,   /**< an error inside the run: an index out of range, out of memory */
};

/** Element types: ONNX's TensorProto.DataType numbers. */
typedef enum optc_dtype {
  OPTC_F32 = 1, OPTC_U8 = 2, OPTC_I8 = 3, OPTC_U16 = 4, OPTC_I16 = 5, OPTC_I32 = 6, OPTC_I64 = 7, OPTC_STRING = 8,
  OPTC_BOOL = 9, OPTC_F16 = 10, OPTC_F64 = 11, OPTC_U32 = 12, OPTC_U64 = 13, OPTC_BF16 = 16,
  OPTC_F8E4M3FN = 17, OPTC_F8E4M3FNUZ = 18, OPTC_F8E5M2 = 19, OPTC_F8E5M2FNUZ = 20,
} optc_dtype;

/** Where memory is, with DLPack's numbers. */
enum optc_device {
  OPTC_CPU = 1,
  OPTC_CUDA = 2,         /**< an NVIDIA GPU's; `id` as the driver counts those that the process may use */
  OPTC_CUDA_HOST = 3,    /**< page-locked memory of the CPU */
  OPTC_CUDA_MANAGED = 13 /**< of both; taken as the GPU's */
};

/** A dense tensor in row-major order: a view over memory that the caller (or the runtime) owns.
 *  Its first members are laid out as DLPack's DLTensor, so a DLTensor* may be read as one. */
typedef struct optc_tensor {
  void *data;           /**< element-aligned; NULL in an output: the runtime allocates, on `device` */
  struct { int32_t type, id; } device; /**< of optc_device; {OPTC_CPU, 0} */
  int32_t ndim;
  struct { uint8_t code, bits; uint16_t lanes; } dtype; /**< DLPack's DLDataType */
  int64_t *shape;       /**< ndim entries */
  int64_t *strides;     /**< NULL: dense */
  uint64_t byte_offset; /**< added to data */
} optc_tensor;

/** What a model takes or gives. Strings live as long as the model. */
typedef struct optc_port {
  const char *name;
  optc_dtype dtype;
  int32_t ndim;         /**< -1: not a tensor (a sequence or optional) */
  const int64_t *shape; /**< -1: dynamic */
} optc_port;

typedef struct optc_model optc_model;     /**< code and weights: immutable, shared between threads */
typedef struct optc_session optc_session; /**< arena and state: one run at a time */

/** A view over dense memory; `shape` is not copied. */
OPTC_API optc_tensor optc_tensor_of(void *data, optc_dtype dtype, int32_t ndim, int64_t *shape);
/** The element type of a tensor, 0 when it is none of optc_dtype. */
OPTC_API optc_dtype optc_tensor_dtype(const optc_tensor *tensor);

/** Opens a compiled model. */
OPTC_API optc_status optc_model_open(const char *path, optc_model **model);
OPTC_API void optc_model_close(optc_model *model);
OPTC_API size_t optc_model_input_count(const optc_model *model);
OPTC_API size_t optc_model_output_count(const optc_model *model);
OPTC_API optc_port optc_model_input(const optc_model *model, size_t index);
OPTC_API optc_port optc_model_output(const optc_model *model, size_t index);
/** The report that the compiler made: JSON, as documented in docs/cli.md. */
OPTC_API const char *optc_model_report(const optc_model *model);

/** What a session runs with; all zero: the defaults. */
typedef struct optc_session_options {
  uint32_t threads; /**< 0: as many as the cores this process may use */
  int32_t gpu;      /**< for models that run on one: which, as the driver counts those that the process may use */
  void *stream;     /**< a CUstream (cudaStream_t) of that GPU to put the work into; 1: the default stream; NULL: a stream of the session's.
                         It must outlive the session. */
} optc_session_options;

/** A session of one's own: explicit state and arena. `options` NULL: the defaults. */
OPTC_API optc_status optc_session_create(optc_model *model, const optc_session_options *options, optc_session **session);
OPTC_API void optc_session_close(optc_session *session);
/** Waits for the session's runs to end, and says whether an index was out of range in one; for runs that do not wait (see optc_run). */
OPTC_API optc_status optc_session_wait(optc_session *session);

/** Runs the model. With session NULL one is borrowed from the model's pool (any number of threads may do so).
 *  An output with data must have the result's type, shape and room for it, and may not overlap another tensor's memory. An output with
 *  data NULL is given memory and shape by the runtime, to be handed back with optc_tensor_release.
 *  Tensors in the memory of the GPU that the session runs on are used where they are, without copies where their address is a multiple
 *  of 16. What they hold must be there before the call, and results are there after it; but where the session has a stream of the caller's and
 *  all tensors are in the GPU's memory, the call does not wait for what the stream has to do, before or after its own work. */
OPTC_API optc_status optc_run(optc_model *model, optc_session *session, const optc_tensor *inputs, size_t input_count,
                              optc_tensor *outputs, size_t output_count);
OPTC_API void optc_tensor_release(optc_tensor *tensor);

/** Threads of runs without a session of their own; 0: as many as the cores this process may use (the default). */
OPTC_API void optc_set_threads(unsigned threads);
OPTC_API const char *optc_version(void);

#ifdef __cplusplus
}
#endif
#endif /* OPTC_H */
