;; Traps unless time and randomness are those of the run: the first reading of its clock is 1 µs,
;; where the clock of a host stands at hours.
(component
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.6" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (import "runwrit:types/failures@0.1.0" (instance $failures
    (type $denial (record
      (field "operation" string) (field "resource" string)
      (field "reason" string) (field "hint" string)))
    (export "denial" (type $denial-name (eq $denial)))
    (type $problem (record
      (field "code" string) (field "message" string) (field "field" (option string))))
    (export "problem" (type $problem-name (eq $problem)))
    (type $failure (variant
      (case "denied" $denial-name) (case "not-found" $problem-name)
      (case "conflict" $problem-name) (case "unavailable" $problem-name)
      (case "invalid" $problem-name) (case "timed-out" $problem-name)
      (case "failed" $problem-name)))
    (export "failure" (type (eq $failure)))))
  (alias export $failures "failure" (type $failure))
  (core func $now (canon lower (func $clock "now")))
  (core func $deal (canon lower (func $random "get-random-u64")))
  (core module $module
    (import "host" "now" (func $now (result i64)))
    (import "host" "deal" (func $deal (result i64)))
    (memory (export "memory") 1)
    (func (export "run") (result i32)
      (if (i64.ne (call $now) (i64.const 1000)) (then (unreachable)))
      (drop (call $deal))
      (i32.const 0)))
  (core instance $guest (instantiate $module (with "host" (instance
    (export "now" (func $now))
    (export "deal" (func $deal))))))
  (func (export "run") (result (result (error $failure)))
    (canon lift (core func $guest "run") (memory (core memory $guest "memory")))))
