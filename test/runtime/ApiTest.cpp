// The C ABI, the C++ header over it and the loader, on models made by hand (handmade/MakeModel.cpp).
#include "runtime/Artefact.h"
#include "runtime/include/optc.hpp"
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace {

const std::string kPlain = OPTC_HANDMADE "/plain.so";

struct Closing {
  optc_model *model = nullptr;
  explicit Closing(const std::string &path = kPlain) {
    optc_status status = optc_model_open(path.c_str(), &model);
    EXPECT_EQ(status.code, OPTC_OK) << status.message;
  }
  ~Closing() { optc_model_close(model); }
};

struct Tensors {
  float x[3] = {1, 2, 2}, y[3] = {}, z[4] = {};
  int64_t n[1] = {3}, four[1] = {4};
  optc_tensor in = optc_tensor_of(x, OPTC_F32, 1, n);
  optc_tensor out[3] = {optc_tensor_of(y, OPTC_F32, 1, n), optc_tensor_of(z, OPTC_F32, 1, four), {}};
  optc_status run(optc_model *model, optc_session *session = nullptr) {
    return optc_run(model, session, &in, 1, out, 3);
  }
  ~Tensors() { optc_tensor_release(&out[2]); }
};

TEST(Api, Ports) {
  Closing c;
  ASSERT_EQ(optc_model_input_count(c.model), 1u);
  ASSERT_EQ(optc_model_output_count(c.model), 3u);
  optc_port x = optc_model_input(c.model, 0);
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(x.dtype, OPTC_F32);
  EXPECT_EQ(x.ndim, 1);
  EXPECT_EQ(x.shape[0], -1);
  EXPECT_EQ(optc_model_output(c.model, 1).shape[0], 4);
  EXPECT_EQ(optc_model_output(c.model, 3).name, nullptr);
  EXPECT_EQ(std::string(optc_model_report(c.model)).substr(0, 12), "{\"schema\": 1");
}

TEST(Api, RunsIntoMemoryGivenAndTaken) {
  Closing c;
  Tensors t;
  for (int round = 0; round < 2; ++round) {
    optc_status status = t.run(c.model);
    ASSERT_EQ(status.code, OPTC_OK) << status.message;
    EXPECT_EQ(t.y[2], 6);
    EXPECT_EQ(t.z[3], 8);
    ASSERT_EQ(t.out[2].ndim, 1);
    EXPECT_EQ(t.out[2].shape[0], 2);
    EXPECT_EQ(static_cast<float *>(t.out[2].data)[1], 2);
    EXPECT_EQ(uintptr_t(t.out[2].data) % 64, 0u);
    optc_tensor_release(&t.out[2]);
    EXPECT_EQ(t.out[2].data, nullptr);
  }
}

TEST(Api, BadArguments) {
  Closing c, other;
  auto message = [&](auto change) {
    Tensors t;
    change(t);
    optc_status status = t.run(c.model);
    EXPECT_EQ(status.code, OPTC_BAD_ARGUMENT) << status.message;
    return std::string(status.message);
  };
  int64_t two[] = {2, 2}, negative[] = {-1}, huge[] = {int64_t(1) << 40, int64_t(1) << 40}, strides[] = {2};
  EXPECT_EQ(message([&](Tensors &t) { t.in = optc_tensor_of(t.x, OPTC_I32, 1, t.n); }),
            "input 'x': has type i32, expected f32");
  EXPECT_EQ(message([&](Tensors &t) { t.in.dtype.bits = 7; }), "input 'x': has type none, expected f32");
  EXPECT_EQ(message([&](Tensors &t) { t.in = optc_tensor_of(t.x, OPTC_F32, 2, two); }),
            "input 'x': has rank 2, expected 1");
  EXPECT_EQ(message([&](Tensors &t) { t.in.shape = negative; }), "input 'x': its shape is not valid");
  EXPECT_EQ(message([&](Tensors &t) { t.in = optc_tensor_of(t.x, OPTC_F32, 2, huge); }),
            "input 'x': its shape is not valid");
  EXPECT_EQ(message([&](Tensors &t) { t.in.ndim = -1; }), "input 'x': its rank or shape is not valid");
  EXPECT_EQ(message([&](Tensors &t) { t.in.shape = nullptr; }), "input 'x': its rank or shape is not valid");
  EXPECT_EQ(message([&](Tensors &t) { t.in.strides = strides; }), "input 'x': is not dense");
  EXPECT_EQ(message([&](Tensors &t) { t.in.device.type = OPTC_CUDA; }), "input 'x': is in a GPU's memory, the model runs on none");
  EXPECT_EQ(message([&](Tensors &t) { t.out[0].device.type = OPTC_CUDA; }), "output 'y': is to be in a GPU's memory, the model runs on none");
  EXPECT_EQ(message([&](Tensors &t) { t.in.device.type = 7; }), "input 'x': is in memory of device type 7, neither the CPU's nor an NVIDIA GPU's");
  EXPECT_EQ(message([&](Tensors &t) { t.in.data = nullptr; }), "input 'x': has no memory");
  EXPECT_EQ(message([&](Tensors &t) { t.out[0].shape = t.four; }),
            "output 'y' has shape [3], the memory given is for [4]");
  EXPECT_EQ(message([&](Tensors &t) { t.out[0].shape = two; }),
            "output 'y': the memory given is for shape [2], the result has 12 bytes");
  EXPECT_EQ(message([&](Tensors &t) { t.out[1] = optc_tensor_of(t.z, OPTC_I32, 1, t.four); }),
            "output 'z': has memory for type i32, the result is f32");
  Tensors t;
  EXPECT_EQ(optc_run(c.model, nullptr, nullptr, 0, t.out, 3).code, OPTC_BAD_ARGUMENT);
  EXPECT_EQ(optc_run(c.model, nullptr, &t.in, 1, t.out, 2).code, OPTC_BAD_ARGUMENT);
  EXPECT_EQ(optc_run(nullptr, nullptr, &t.in, 1, t.out, 3).code, OPTC_BAD_ARGUMENT);
  EXPECT_EQ(optc_run(c.model, nullptr, nullptr, 1, t.out, 3).code, OPTC_BAD_ARGUMENT);
  optc_session *session = nullptr;
  ASSERT_EQ(optc_session_create(other.model, nullptr, &session).code, OPTC_OK);
  EXPECT_STREQ(t.run(c.model, session).message, "the session is another model's");
  EXPECT_EQ(optc_session_wait(session).code, OPTC_OK);
  EXPECT_EQ(optc_session_wait(nullptr).code, OPTC_BAD_ARGUMENT);
  optc_session_close(session);
  EXPECT_EQ(optc_model_open(nullptr, &c.model).code, OPTC_BAD_ARGUMENT);
}

TEST(Api, ManyThreadsShareAModel) {
  Closing c;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      optc_session *session = nullptr;
      const optc_session_options options = {2, 0, nullptr};
      if (k % 2)
        (void)optc_session_create(c.model, &options, &session);
      for (int round = 0; round < 200; ++round) {
        std::vector<float> x(size_t(1 + k * 100 + round % 3), float(k));
        int64_t n[] = {int64_t(x.size())};
        optc_tensor in = optc_tensor_of(x.data(), OPTC_F32, 1, n), out[3] = {};
        if (optc_run(c.model, session, &in, 1, out, 3).code)
          ++wrong;
        for (size_t i = 0; i < x.size(); ++i)
          wrong += static_cast<float *>(out[0].data)[i] != 3 * float(k);
        wrong += out[2].shape[0] != 1;
        for (optc_tensor &t : out)
          optc_tensor_release(&t);
      }
      optc_session_close(session);
    });
  for (std::thread &t : threads)
    t.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(Api, CppHeader) {
  optc::Model model(kPlain);
  std::vector<float> x{1, 1, 5}, y(3), z(4), u(2);
  std::vector<optc::Output> out = model.run({optc::tensor(x, {3})});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(std::ranges::equal(out[0].values<float>(), std::vector<float>{3, 3, 15}));
  EXPECT_TRUE(std::ranges::equal(out[2].shape(), std::vector<int64_t>{2}));
  EXPECT_THROW((void)out[0].values<int32_t>(), std::invalid_argument);
  EXPECT_THROW((void)optc::tensor(x, {4}), std::invalid_argument);

  optc::Session session(model, 2);
  optc::Tensor inputs[] = {optc::tensor(std::as_const(x), {3})};
  optc::Tensor outputs[] = {optc::tensor(y, {3}), optc::tensor(z, {4}), optc::tensor(std::span(u), {2})};
  optc::Status status = session.tryRun(inputs, outputs);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(u[1], 5);
  outputs[2] = optc::tensor(std::span(u).first(1), {1});
  EXPECT_EQ(session.tryRun(inputs, outputs).code(), OPTC_BAD_ARGUMENT);
  std::vector<int64_t> wrong{1};
  EXPECT_THROW((void)model.run({optc::tensor(wrong, {1})}), optc::Error);
  EXPECT_THROW(optc::Model("/nowhere.so"), optc::Error);
}

/// A file of the test's own, damaged as it likes.
struct Copy {
  std::string path =
      (std::filesystem::temp_directory_path() / ("optc-api-" + std::to_string(getpid()) + ".so")).string();
  std::string bytes;
  explicit Copy(const char *model = "/plain.so") {
    std::stringstream text;
    text << std::ifstream(std::string(OPTC_HANDMADE) + model, std::ios::binary).rdbuf();
    bytes = text.str();
  }
  ~Copy() { std::filesystem::remove(path); }
  std::string open(int code) {
    std::ofstream(path, std::ios::binary) << bytes;
    optc_model *model = nullptr;
    optc_status status = optc_model_open(path.c_str(), &model);
    EXPECT_EQ(status.code, code) << status.message;
    optc_model_close(model);
    std::string message = status.message;
    return message.rfind(path, 0) == 0 ? message.substr(path.size()) : message;
  }
};

TEST(Loader, DamagedFiles) {
  EXPECT_EQ(Copy().open(OPTC_OK), "");
  Copy c;
  c.bytes[5000] ^= 1;
  EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT), ": is damaged: the hash of its code does not match");
  c = Copy();
  c.bytes.pop_back();
  EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT), ": is not an optc model, or is truncated");
  c.bytes = "short";
  EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT), ": is not an optc model: too short");
  c.bytes = "";
  EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT), ": is not an optc model: too short");
  // The trailer: seven words, the version before the magic.
  for (size_t word : {0, 2, 3}) {
    c = Copy();
    c.bytes[c.bytes.size() - 56 + word * 8 + 6] = 1;
    EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT), ": is damaged: its parts do not fit into its length");
  }
  c = Copy();
  c.bytes[c.bytes.size() - 16] = 99;
  EXPECT_EQ(c.open(OPTC_BAD_ARTEFACT),
            ": was made for version 99 of the artefact format, this runtime has " + std::to_string(OPTC_ARTEFACT_VERSION));
  EXPECT_EQ(Copy("/foreign.so").open(OPTC_UNAVAILABLE).substr(0, 8), ": needs ");
}

// A model that is compiled again to the same path while the old one is in use is the new one.
TEST(Loader, TheSamePathAgain) {
  Copy c;
  std::ofstream(c.path, std::ios::binary) << c.bytes;
  Closing old(c.path);
  std::filesystem::remove(c.path);
  std::filesystem::copy_file(OPTC_HANDMADE "/rounded.so", c.path);
  Closing fresh(c.path);
  Tensors a, b;
  ASSERT_EQ(a.run(old.model).code, OPTC_OK);
  ASSERT_EQ(b.run(fresh.model).code, OPTC_OK);
  EXPECT_EQ(a.y[0], 3);
  EXPECT_EQ(b.y[0], 3 * 1.001f);
}

} // namespace
