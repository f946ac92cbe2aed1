// download: saves what URLs give in a folder.
//
//     c++ -std=c++17 download.cpp $(pkg-config --cflags --libs rouet) -o download
//     ./download FOLDER URL...
//
// The files are written by the stream's callback, on threads of the library's own: slow disks hold
// up neither transfers nor this program's thread. The file's path is attached to the result, and
// what is thrown becomes its error. Exits with 1 if a URL or a file failed.

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <rouet.hpp>
#include <string>
#include <system_error>

namespace {

int download(const std::filesystem::path &folder, char **urls) {
  std::filesystem::create_directories(folder);
  rouet::config config;
  config.options.compressed = true;
  config.callback = [folder](rouet::callback_result &result) {
    const std::string name = std::to_string(result.tag()) + std::string(result.ext());
    const std::filesystem::path path = folder / name;
    std::ofstream file(path, std::ios::binary);
    file << result.body();
    if (!file.flush()) throw std::system_error(errno, std::generic_category(), path.string());
    result.attach(path);
  };
  rouet::pool pool(config);

  rouet::job job;
  const auto feed = [&] { // hands over URLs while there is room
    for (; *urls; urls++) {
      job.url = *urls;
      if (pool.submit(job, rouet::no_wait) != rouet::status::ok) return;
      job.tag++;
    }
    pool.finish(); // may be said again
  };

  int failed = 0;
  feed();
  for (const rouet::result &result : pool) {
    if (result.ok()) {
      std::cout << result.status() << ' ' << result.url() << ' '
                << result.value<std::filesystem::path>()->string() << '\n';
    } else {
      std::cerr << "download: " << result.error_message() << '\n';
      failed = 1;
    }
    feed();
  }
  return failed;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::cerr << "Usage: download FOLDER URL...\n";
    return 2;
  }
  try {
    return download(argv[1], argv + 2);
  } catch (const std::exception &error) {
    std::cerr << "download: " << error.what() << '\n';
    return 2;
  }
}
