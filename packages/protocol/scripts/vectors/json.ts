/** Vectors of canonical JSON. */
import { canonicalJson, type Json } from '../../src/index.ts'
import type { Vector } from './world.ts'

export function canonical(): { [kind: string]: Vector[] } {
  const values: [string, Json][] = [
    ['{ "b": 1, "a": [true, false, {}], "aa": "x" }', { b: 1, a: [true, false, {}], aa: 'x' }],
    [
      '{"\\ufb33":"7","\\ud83d\\ude00":"6","\\u20ac":"5","\\u00f6":"4","\\u0080":"3","1":"2","\\r":"1"}',
      { '\ufb33': '7', '\u{1f600}': '6', '€': '5', ö: '4', '\u0080': '3', '1': '2', '\r': '1' },
    ],
    ['"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"', '€$\u000f\nA\'B"\\\\"/'],
    ['"\\b\\t\\f\\u0000\\u001f\\u007f\\u2028"', '\b\t\f\u0000\u001f\u007f\u2028'],
    ['[-9007199254740991, 9007199254740991, 0, 7.0, 1e3]', [-9007199254740991, 9007199254740991, 0, 7, 1000]],
    [
      '{"":"","\\ud7ff":1,"\\ue000":2,"\\ud800\\udc00":3}',
      { '': '', '\ud7ff': 1, '\ue000': 2, '\u{10000}': 3 },
    ],
  ]
  const rejected: [string, string][] = [
    ['duplicate name', '{"a":1,"a":1}'],
    ['unsorted names', '{"b":1,"a":1}'],
    ['blank', '{"a": 1}'],
    ['trailing line feed', '{}\n'],
    ['needless escape', '"\\u0041"'],
    ['upper-case escape', '"\\u000F"'],
    ['escaped solidus', '"\\/"'],
    ['float', '1.5'],
    ['integer with a fraction', '1.0'],
    ['integer with an exponent', '1e3'],
    ['negative zero', '-0'],
    ['unsafe integer', '9007199254740992'],
    ['null', 'null'],
    ['lone surrogate', '"\\ud800"'],
    ['lone surrogate in a name', '{"\\udfff":1}'],
    ['cut short', '{"a":'],
    ['nothing', ''],
  ]
  return {
    canonical: values.map(([input, value]) => ({ input, output: canonicalJson(value) })),
    rejected: rejected.map(([name, input]) => ({ name, input })),
  }
}
