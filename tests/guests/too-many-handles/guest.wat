;; Makes handles of a resource of its own and never drops one.
(component
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
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $module
    (import "host" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (result i32)
      (loop (drop (call $new (i32.const 1))) (br 0))
      (unreachable)))
  (core instance $guest
    (instantiate $module (with "host" (instance (export "new" (func $new))))))
  (func (export "run") (result (result (error $failure)))
    (canon lift (core func $guest "run") (memory (core memory $guest "memory")))))
