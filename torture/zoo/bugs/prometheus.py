"""Bugs of trusting Prometheus."""

from torture.zoo.bug import Bug, Edit

_SESSION = "stepdown.adapters.prometheus_session"
_CONNECTION = "stepdown.adapters.prometheus_connection"
_CLIENT = "stepdown.adapters.prometheus_client"
_TOO_MUCH = "tests/adapters/test_prometheus_hostile.py::test_an_answer_that_is_too_much_is_refused_in_little_memory"

BUGS = (
    Bug(
        "redirects-followed",
        "Redirects are followed, as the client library does it: a server leads the operator to internal addresses.",
        (
            Edit(_SESSION, 'kwargs["allow_redirects"] = False', 'kwargs["allow_redirects"] = True'),
            Edit(_SESSION, "if 300 <= answer.status < 400:", "if answer.status < 0:"),
            Edit(
                _SESSION,
                "        self._keep(connection, answer)\n",
                '        location = answer.getheader("Location")\n'
                "        if location is not None:\n"
                "            self._url, request.url = location, location\n"
                "            return self.send(request, **kwargs)\n"
                "        self._keep(connection, answer)\n",
            ),
        ),
        ("tests/adapters/test_prometheus_hostile.py::test_a_redirect_is_not_followed",),
    ),
    Bug(
        "no-cap-of-the-body",
        "A body of any size is read into memory.",
        (
            Edit(_CONNECTION, "        if self._left < 0:\n", "        if self._left < -(10**12):\n"),
            Edit(_SESSION, "if (answer.length or 0) > self._bytes:", "if (answer.length or 0) < 0:"),
            Edit(_SESSION, "            if len(body) > self._bytes:\n", "            if len(body) > 64_000_000:\n"),
        ),
        (
            f"{_TOO_MUCH}[announced]",
            f"{_TOO_MUCH}[long headers]",
        ),
    ),
    Bug(
        "compressed-answers-read",
        "A compressed answer is unpacked before anybody counts: 195 KB grew memory by 587 MB.",
        (
            Edit(
                _SESSION,
                '            raise Untrusted("it compresses its answer although asked not to")\n',
                "            import zlib\n\n            return bytearray(zlib.decompress(answer.read(), 31))\n",
            ),
        ),
        (f"{_TOO_MUCH}[gzip]",),
    ),
    Bug(
        "time-out-of-each-read",
        "A time-out begins anew with every byte: an answer that drips is waited for without end.",
        (
            Edit(
                _CONNECTION,
                "        left = self._deadline - time.monotonic()\n",
                "        left = 10 * self._seconds\n",  # a busy machine must not end it
            ),
            Edit("stepdown.adapters.prometheus_batches", "GRACE_SECONDS = 0.5", "GRACE_SECONDS = 5.0"),
        ),
        (
            "tests/adapters/test_prometheus_hostile.py::test_an_answer_that_does_not_come_to_an_end_costs_twice_the_time_out_at_most[body]",
        ),
    ),
    Bug(
        "proxies-of-the-environment",
        "The environment decides whom Prometheus is asked through, and adds credentials of its own.",
        (Edit(_SESSION, "        self.trust_env = False\n", ""),),
        ("tests/adapters/test_prometheus_addresses.py::test_the_environment_has_no_say",),
    ),
    Bug(
        "name-checked-and-not-the-peer",
        "An address is judged once, before connecting: a name that means another address a moment later passes.",
        (Edit(_CONNECTION, "                self._peers.check(str(sock.getpeername()[0]))\n", ""),),
        (
            "tests/adapters/test_prometheus_addresses.py::test_whoever_really_answered_the_connection_is_judged_before_anything_is_sent",
        ),
    ),
    Bug(
        "address-in-another-form",
        "A denied IPv4 address is reached by writing it as an IPv6 address.",
        (
            Edit(
                "stepdown.adapters.prometheus_peers",
                "            yield address.ipv4_mapped\n",
                "            pass\n",
            ),
        ),
        ("tests/adapters/test_prometheus_addresses.py::test_internal_addresses_are_refused_however_they_are_written",),
    ),
    Bug(
        "credentials-shown",
        "A server that sends the token back has it written into the status.",
        (Edit(_SESSION, '            text = text.replace(secret, "…")\n', "            pass\n"),),
        ("tests/adapters/test_prometheus_addresses.py::test_credentials_are_sent_and_never_shown",),
    ),
    Bug(
        "names-not-quoted",
        "A name is put into a query as it comes: a tenant's braces ask for another tenant's numbers.",
        (
            Edit(
                "stepdown.engine.promql",
                """    escaped = text.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"')\n""",
                "    escaped = text\n",
            ),
        ),
        (
            "tests/engine/test_presets.py::test_a_hostile_name_stays_one_label_value",
            "tests/engine/test_promql.py::test_any_text_is_quoted_into_one_string",
        ),
    ),
    Bug(
        "one-bad-query-fails-all",
        "Queries are joined, and one that fails takes the others of its batch along.",
        (
            Edit(
                "stepdown.adapters.prometheus_batches",
                "if problem.blame is Blame.QUERY and len(group) > 1:",
                "if problem.blame is Blame.QUERY and len(group) > 10**6:",
            ),
        ),
        (
            "tests/adapters/test_prometheus_batches.py::test_a_bad_query_is_found_by_halving_and_then_asked_alone_only_rarely",
        ),
    ),
    Bug(
        "last-of-two-names-wins",
        "Of two values under one JSON name the last is taken: an error that also says success passes. Found by"
        " generated answers.",
        (Edit(_CLIENT, ", object_pairs_hook=_once)", ")"),),
        ("tests/adapters/test_prometheus_hostile.py::test_what_is_no_answer_of_a_prometheus_is_an_error",),
    ),
    Bug(
        "warning-without-words-dropped",
        "A warning that says nothing is taken for none, and part of the data for all. Found by generated answers.",
        (Edit(_CLIENT, 'self.line(warning) or "a warning without words"', "self.line(warning)"),),
        ("tests/adapters/test_prometheus.py::test_a_warning_without_words_is_one_too",),
    ),
    Bug(
        "credential-cut-before-it-is-masked",
        "A text is cut to its length first and looked through for the token afterwards: half a token is shown.",
        (
            Edit(_CLIENT, "self.line(kind)[:40]", "self.line(kind[:40])"),
            Edit(_CLIENT, 'self.line(str(data.get("resultType")))[:20]', 'self.line(str(data.get("resultType"))[:20])'),
        ),
        (
            "tests/adapters/test_prometheus_addresses.py"
            "::test_a_credential_that_is_sent_back_is_not_shown_wherever_it_stands_not_even_in_part",
        ),
    ),
)
