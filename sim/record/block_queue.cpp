#include "sim/record/block_queue.hpp"

#include <utility>

namespace podwire::record {

BlockQueue::BlockQueue(Write write) : write_(std::move(write)), thread_([this] { run(); }) {}

BlockQueue::~BlockQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    queue_.clear();
  }
  filled_.notify_one();
  thread_.join();
}

std::size_t BlockQueue::add_stream(std::size_t blocks, std::size_t block_bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t stream = free_.size();
  free_.emplace_back();
  for (std::size_t i = 0; i < blocks; ++i) {
    free_.back().push_back({std::make_unique_for_overwrite<std::byte[]>(block_bytes), 0, stream});
  }
  return stream;
}

Block BlockQueue::take(std::size_t stream) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return failure_ != nullptr || !free_[stream].empty(); });
  if (failure_ != nullptr) {
    std::rethrow_exception(failure_);
  }
  Block block = std::move(free_[stream].back());
  free_[stream].pop_back();
  block.rows = 0;
  return block;
}

void BlockQueue::put(Block block) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(block));
  }
  filled_.notify_one();
}

void BlockQueue::drain() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return failure_ != nullptr || (queue_.empty() && !is_writing_); });
  if (failure_ != nullptr) {
    std::rethrow_exception(failure_);
  }
}

void BlockQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [&] { return is_ending_ || !queue_.empty(); });
    if (is_ending_) {
      return;
    }
    Block block = std::move(queue_.front());
    queue_.pop_front();
    is_writing_ = true;
    const bool failed = failure_ != nullptr;
    lock.unlock();
    std::exception_ptr failure;
    if (!failed) {
      try {
        write_(block);
      } catch (...) {
        failure = std::current_exception();
      }
    }
    lock.lock();
    is_writing_ = false;
    if (failure != nullptr) {
      failure_ = failure;
    }
    free_[block.stream].push_back(std::move(block));
    freed_.notify_all();
  }
}

}  // namespace podwire::record
