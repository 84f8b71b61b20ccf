;; A type that only garbage collection has. Engines built without that feature abort on it.
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
  (core module $module
    (memory (export "memory") 1)
    (type $open (sub (func)))
    (table 1 funcref)
    (func (export "run") (result i32)
      (call_indirect (type $open) (i32.const 0))
      (i32.const 0)))
  (core instance $guest (instantiate $module))
  (func (export "run") (result (result (error $failure)))
    (canon lift (core func $guest "run") (memory (core memory $guest "memory")))))
