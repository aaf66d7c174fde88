// The bounded ring between the hot loop and the writer thread.
//
// A stream owns a few blocks of rows. The loop fills one; full, it goes into the queue and the loop takes a free one,
// or waits until the writer has emptied one (back-pressure: memory stays bounded). Blocks are written in the order in
// which they were filled, over all streams: so the file's bytes do not depend on the threads' timing. An exception of
// the writer is kept and thrown at the next call from the loop's side; blocks filled after it are dropped.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace podwire::record {

/// Rows on their way to the file.
struct Block {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t rows = 0;
  std::size_t stream = 0;
};

class BlockQueue {
 public:
  using Write = std::function<void(const Block&)>;

  /// `write` runs on the queue's own thread, one block at a time.
  explicit BlockQueue(Write write);
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;
  /// Waits for the thread; what is still queued is dropped.
  ~BlockQueue();

  /// A new stream with `blocks` blocks of `block_bytes`; its number.
  std::size_t add_stream(std::size_t blocks, std::size_t block_bytes);
  /// An empty block of the stream; waits for one. Throws what the writer threw.
  Block take(std::size_t stream);
  /// Hands a filled block over. Never waits.
  void put(Block block);
  /// Waits until everything put is written. Throws what the writer threw.
  void drain();

 private:
  void run();

  Write write_;
  std::mutex mutex_;
  std::condition_variable filled_;  // the writer waits
  std::condition_variable freed_;   // the loop waits
  std::deque<Block> queue_;
  std::vector<std::vector<Block>> free_;  // by stream
  std::exception_ptr failure_;
  bool is_writing_ = false;
  bool is_ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace podwire::record
