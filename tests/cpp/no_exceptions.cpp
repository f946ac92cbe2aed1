// no_exceptions SITE: rouet.hpp in a program that is compiled without exceptions.
#include "check.hpp"

using rouet::status;

int main(int argc, char **argv) {
  std::cout << std::unitbuf; // so that all is seen when it crashes
  CHECK(argc == 2, "Usage: no_exceptions SITE");
  const std::string site = argv[1];
  static_assert(!std::is_default_constructible_v<rouet::pool>, "it could not tell of an error");

  rouet::error error;
  rouet::config config;
  config.domain_parallelism = 0;
  const rouet::pool none(config, error);
  CHECK(!none && error.status() == status::invalid_argument, "it was taken");
  CHECK(std::string(error.what()).find("domain_parallelism") != std::string::npos, error.what());

  config = {};
  config.throttle = rouet::seconds(0);
  config.callback = [](rouet::callback_result &result) {
    result.attach(result.body().size());
    if (result.status() == 404) result.fail("not that one");
  };
  config.throttle_fn = [](auto, auto &) { return rouet::seconds(0); };
  config.parallelism_fn = [](auto) { return 4U; };
  rouet::pool pool(config, error);
  CHECK(pool && !error, error.what());
  pool.set_log(rouet::log_level::error, [](auto, auto line) { std::cerr << line; }, error);
  pool.set_domain_rule("example.com", rouet::seconds(1), 2, error);
  SAME(pool.hold_group("example.com", error), 0U);
  pool.release_group("example.com", error);
  CHECK(!error, error.what());
  CHECK(pool.options(error).follow_redirects && pool.event_fd(error) >= 0 && !error, error.what());

  const rouet::job jobs[] = {job_for(site + "/text", 0), job_for(site + "/nowhere", 1)};
  std::size_t accepted = 0;
  SAME(pool.submit_many(jobs, 2, accepted, rouet::forever, error), status::ok);
  SAME(pool.submit(job_for(""), rouet::forever, error), status::invalid_argument);
  SAME(pool.pending(error), 2U);
  CHECK(!error, "the error stays: " << error.what());
  pool.finish(error);
  rouet::result result;
  int taken = 0;
  while (pool.next(result, rouet::forever, error) == status::ok) {
    taken++;
    SAME(*result.value<std::size_t>(), result.body().size());
    SAME(result.ok(), result.tag() == 0);
    if (!result.ok())
      SAME(result.error_message(), site + "/nowhere: the callback failed: not that one");
  }
  SAME(taken, 2);
  SAME(pool.stats(error).delivered, 2U);
  rouet::pool other = pool.share({}, error);
  CHECK(other && !error, error.what());
  SAME(other.submit(jobs[0], rouet::forever, error), status::ok);
  other.cancel(error);
  std::vector<rouet::result> results;
  SAME(other.next_many(results, 9, rouet::forever, error), status::ok);
  SAME(results.size(), 1U);
  SAME(other.next_many(results, 9, rouet::forever, error), status::done);
  std::cout << "ok\n";
}
