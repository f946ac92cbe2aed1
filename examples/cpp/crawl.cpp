// crawl: reads the pages of a site, and reports the links that are broken.
//
//     c++ -std=c++17 crawl.cpp $(pkg-config --cflags --libs rouet) -o crawl
//     ./crawl URL LINKS
//
// Pages on the host where URL ends are read for links; links that lead elsewhere are only asked for
// (by HEAD). Checks LINKS at most. Exits with 1 if a link is broken.

#include <charconv>
#include <cstring>
#include <iostream>
#include <rouet.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

struct link {
  std::string url, found_on;
};

// The scheme, host and port of an absolute URL.
std::string_view origin_of(std::string_view url) {
  const auto host = url.find("://");
  return host == url.npos ? url : url.substr(0, url.find_first_of("/?#", host + 3));
}

int crawl(const std::string &start, std::size_t most) {
  rouet::pool pool;
  std::vector<link> links{{start, "the command line"}};
  std::unordered_set<std::string> met{start};
  std::string origin;
  std::size_t next = 0;
  int broken = 0;

  const auto feed = [&] { // hands over links while there is room
    for (; next < links.size(); next++) {
      rouet::job job;
      job.url = links[next].url;
      job.tag = next; // so that the result's link is found again
      if (next > 0 && origin_of(job.url) != origin) job.kind = rouet::kind::resolve;
      if (pool.submit(job, rouet::no_wait) != rouet::status::ok) return;
    }
    if (pool.pending() == 0) pool.finish(); // drained: no page is left to name another link
  };

  feed();
  for (const rouet::result &result : pool) {
    // 405: a server that knows no HEAD; the page may well be there.
    if (!result.ok() || (result.status() >= 400 && result.status() != 405)) {
      std::cout << links[result.tag()].found_on << ": " << result.url() << ": "
                << (result.ok() ? std::to_string(result.status()) : result.error_message()) << '\n';
      broken++;
    }
    if (result.tag() == 0) origin = origin_of(result.end_url());
    for (std::string_view url : result.links()) { // none of a resolve, which has no body
      url = url.substr(0, url.find('#'));
      if (links.size() < most && met.emplace(url).second)
        links.push_back({std::string(url), std::string(result.end_url())});
    }
    feed();
  }
  std::cerr << links.size() << " links, " << broken << " broken\n";
  return broken > 0 ? 1 : 0;
}

} // namespace

int main(int argc, char **argv) {
  std::size_t most = 0;
  if (argc == 3) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), most);
  if (most == 0) {
    std::cerr << "Usage: crawl URL LINKS\n";
    return 2;
  }
  try {
    return crawl(argv[1], most);
  } catch (const std::exception &error) {
    std::cerr << "crawl: " << error.what() << '\n';
    return 2;
  }
}
