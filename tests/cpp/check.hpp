// What the C++ tests share: a check that says where and why it failed, and the usual calls.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <rouet.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

// CHECK(condition, what): ends the program with the place and the reason, which may be a chain of
// things to print.
#define CHECK(condition, what)                                                              \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::cerr << __FILE__ << ':' << __LINE__ << ": not (" #condition "): " << what << '\n'; \
      std::_Exit(1);                                                                         \
    }                                                                                       \
  } while (0)

// The two are the same; otherwise both are shown.
#define SAME(got, expected) same(got, expected, __FILE__, __LINE__, #got)

inline const char *shown(rouet::status which) { return rouet::name(which); }
inline std::string shown(rouet::seconds time) { return std::to_string(time.count()) + " s"; }
template <typename T> const T &shown(const T &value) { return value; }

template <typename Got, typename Expected>
void same(const Got &got, const Expected &expected, const char *file, int line, const char *what) {
  if (got == expected) return;
  std::cerr << file << ':' << line << ": " << what << " is " << shown(got) << ", not "
            << shown(expected) << '\n';
  std::_Exit(1);
}

inline rouet::job job_for(std::string url, std::uint64_t tag = 0) {
  rouet::job job;
  job.url = std::move(url);
  job.tag = tag;
  return job;
}

#endif
