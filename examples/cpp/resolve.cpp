// resolve: says where URLs end, in the order they came in.
//
//     c++ -std=c++17 -pthread resolve.cpp $(pkg-config --cflags --libs rouet) -o resolve
//     ./resolve <URLS
//
// One thread hands over the lines of standard input and waits while there is no room; the main
// thread prints results as they come. Neither waits for the other in vain, however slow the input
// or the network is, and memory stays bounded. Exits with 1 if a URL failed.

#include <future>
#include <iostream>
#include <rouet.hpp>
#include <string>

namespace {

// Hands over lines until there are no more, or the stream is cancelled.
void feed(rouet::pool &pool) {
  rouet::job job;
  job.kind = rouet::kind::resolve;
  while (std::getline(std::cin, job.url)) {
    if (job.url.find_first_not_of(" \t\r") == std::string::npos) continue; // a blank line
    rouet::error error; // one bad line is no reason to stop
    if (pool.submit(job, rouet::forever, error) == rouet::status::closed) return;
    if (error) std::cerr << "resolve: " << job.url << ": " << error.what() << '\n';
  }
  pool.finish();
}

// Whatever happens to this thread, the other one shall not wait for ever.
struct cancel_at_end {
  rouet::pool &pool;
  ~cancel_at_end() {
    rouet::error ignored;
    pool.cancel(ignored);
  }
};

int resolve() {
  rouet::config config;
  config.ordered = true;
  config.options.follow_meta_refresh = true;
  rouet::pool pool(config);

  auto feeder = std::async(std::launch::async, [&pool] { feed(pool); });
  const cancel_at_end guard{pool};
  int failed = 0;
  for (const rouet::result &result : pool) {
    if (result.ok()) {
      std::cout << result.url() << " -> " << result.end_url() << '\n';
    } else {
      std::cerr << "resolve: " << result.error_message() << '\n';
      failed = 1;
    }
  }
  feeder.get();
  return failed;
}

} // namespace

int main() {
  try {
    return resolve();
  } catch (const std::exception &error) {
    std::cerr << "resolve: " << error.what() << '\n';
    return 2;
  }
}
