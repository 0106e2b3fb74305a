/**
 * Mutation operators over solc's AST: the standard ones (arithmetic, relational, logical, assignment, unary, condition,
 * literal, statement, return, modifier) and two of this field (minimum for maximum, the direction of a rounding).
 * A mutant is one edit of one source; nothing here compiles or runs it.
 */

/** A node of solc's AST, as far as it is read here. */
export interface AstNode {
  nodeType: string
  /** `start:length:file`, in bytes. */
  src: string
  [field: string]: unknown
}

export interface Mutant {
  /** Path below contracts/. */
  file: string
  /** Function it stands in, or `-`. */
  where: string
  line: number
  operator: string
  /** What is replaced and by what, in source text. */
  original: string
  mutated: string
  /** Bytes into the file. */
  start: number
  end: number
  /** An expression is replaced inside a conditional expression, a statement inside a conditional statement. */
  kind: 'expression' | 'statement' | 'modifier'
}

const ARITHMETIC: Record<string, string[]> = {
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
}
const RELATIONAL: Record<string, string[]> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '==': ['!='],
  '!=': ['=='],
}
const ASSIGNMENT: Record<string, string> = {
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
  '|=': '&=',
  '&=': '|=',
  '<<=': '>>=',
  '>>=': '<<=',
}
const MEMBER: Record<string, string> = { min: 'max', max: 'min', Ceil: 'Floor', Floor: 'Ceil' }

const isNode = (value: unknown): value is AstNode =>
  typeof value === 'object' && value !== null && 'nodeType' in value

function childrenOf(node: AstNode): AstNode[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  )
}

function typeOf(node: AstNode): string {
  const described = node.typeDescriptions as { typeString?: string } | undefined
  return described?.typeString ?? ''
}

/** A number that the compiler knows: an operation between two of them is a literal, and typed as one. */
const isConstant = (node: AstNode): boolean => /^(int|rational)_const/.test(typeOf(node))

/** A pointer to storage or calldata: a program in which it may be unset does not compile. */
const isPointer = (node: AstNode): boolean => / storage (pointer|ref)$| calldata$|^mapping/.test(typeOf(node))

/**
 * Every mutant of one source.
 * @param text the source, one character a byte (latin1), so that solc's offsets are indexes
 */
export function mutantsOf(file: string, ast: AstNode, text: string): Mutant[] {
  const mutants: Mutant[] = []
  const rangeOf = (node: AstNode): [number, number] => {
    const [start = 0, length = 0] = node.src.split(':').map(Number)
    return [start, start + length]
  }
  const textOf = (node: AstNode): string => text.slice(...rangeOf(node))
  let where = '-'

  const add = (
    node: AstNode,
    operator: string,
    mutated: string,
    kind: Mutant['kind'] = 'expression',
  ): void => {
    const [start, last] = rangeOf(node)
    // solc leaves the semicolon out of a statement.
    const end = kind === 'statement' && text[last] === ';' ? last + 1 : last
    const line = text.slice(0, start).split('\n').length
    mutants.push({ file, where, line, operator, original: text.slice(start, end), mutated, start, end, kind })
  }

  const binary = (node: AstNode): void => {
    const left = node.leftExpression as AstNode
    const right = node.rightExpression as AstNode
    const operator = String(node.operator)
    if (isConstant(node)) return
    const [l, r] = [textOf(left), textOf(right)]
    const between = text.slice(rangeOf(left)[1], rangeOf(right)[0])
    const withOperator = (other: string) => `${l}${between.replace(operator, other)}${r}`
    for (const other of ARITHMETIC[operator] ?? []) add(node, 'arithmetic', withOperator(other))
    for (const other of RELATIONAL[operator] ?? []) add(node, 'relational', withOperator(other))
    if (operator === '&&' || operator === '||') {
      add(node, 'logical', withOperator(operator === '&&' ? '||' : '&&'))
      add(node, 'logical', l)
      add(node, 'logical', r)
    }
  }

  const literal = (node: AstNode, parent: AstNode | undefined): void => {
    if (parent === undefined) return
    if (node.kind === 'bool') add(node, 'literal', node.value === 'true' ? 'false' : 'true')
    if (node.kind !== 'number' || !/^\d[\d_]*$/.test(textOf(node))) return
    // Of a shift or a power the literal sets the type; an index or a length of a type is no value.
    if (
      parent.nodeType === 'BinaryOperation' &&
      (isConstant(parent) || ['<<', '**'].includes(String(parent.operator)))
    )
      return
    if (parent.nodeType === 'FunctionCall' && parent.kind === 'typeConversion') return
    if (parent.nodeType === 'ArrayTypeName') return
    // Of bytes there is no literal but zero.
    const other = [parent.leftExpression, parent.rightExpression].find(
      (side) => isNode(side) && side !== node,
    )
    if (isNode(other) && /^bytes\d/.test(typeOf(other))) return
    add(node, 'literal', String(BigInt(textOf(node).replaceAll('_', '')) + 1n))
  }

  const isRevert = (node: AstNode): boolean => {
    if (node.nodeType === 'RevertStatement') return true
    const statements = node.statements as AstNode[] | undefined
    return (
      node.nodeType === 'Block' && statements?.length === 1 && statements[0]?.nodeType === 'RevertStatement'
    )
  }

  const visit = (node: AstNode, parent: AstNode | undefined): void => {
    const outer = where
    if (node.nodeType === 'InlineAssembly') return
    // Without its step a loop would never end, and backwards it leaves through the checked arithmetic.
    if (parent?.nodeType === 'ForStatement' && parent.loopExpression === node) return
    if (node.nodeType === 'VariableDeclaration' && node.constant === true) return
    if (node.nodeType === 'FunctionDefinition' || node.nodeType === 'ModifierDefinition')
      where = String(node.kind === 'constructor' ? 'constructor' : node.name || node.kind)
    switch (node.nodeType) {
      case 'BinaryOperation':
        binary(node)
        break
      case 'Literal':
        literal(node, parent)
        break
      case 'UnaryOperation': {
        const operator = String(node.operator)
        const inner = textOf(node.subExpression as AstNode)
        if (operator === '!') add(node, 'unary', inner)
        if (operator === '++' || operator === '--') {
          const other = operator === '++' ? '--' : '++'
          const form = node.prefix === true ? `${other}${inner}` : `${inner}${other}`
          if (parent?.nodeType !== 'ExpressionStatement') add(node, 'unary', form)
          else add(parent, 'unary', `${form};`, 'statement')
        }
        break
      }
      case 'MemberAccess': {
        const other = MEMBER[String(node.memberName)]
        const from = textOf(node.expression as AstNode)
        if (other !== undefined && /Rounding$/.test(from)) add(node, 'rounding', `${from}.${other}`)
        break
      }
      case 'FunctionCall': {
        const called = node.expression as AstNode
        const other = MEMBER[String(called.memberName)]
        if (
          called.nodeType === 'MemberAccess' &&
          textOf(called.expression as AstNode) === 'Math' &&
          other !== undefined
        )
          add(node, 'rounding', textOf(node).replace(`.${String(called.memberName)}(`, `.${other}(`))
        break
      }
      case 'IfStatement': {
        const condition = node.condition as AstNode
        add(condition, 'condition', 'false')
        if (!isRevert(node.trueBody as AstNode)) add(condition, 'condition', 'true')
        break
      }
      case 'Conditional':
        add(node, 'condition', textOf(node.trueExpression as AstNode))
        add(node, 'condition', textOf(node.falseExpression as AstNode))
        break
      case 'ExpressionStatement': {
        // A block, which a woven statement stands in, cannot begin a loop.
        if (parent?.nodeType === 'ForStatement' && parent.initializationExpression === node) break
        const expression = node.expression as AstNode
        const operator = String(expression.operator)
        if (expression.nodeType === 'Assignment' && ASSIGNMENT[operator] !== undefined) {
          const left = textOf(expression.leftHandSide as AstNode)
          const right = textOf(expression.rightHandSide as AstNode)
          add(node, 'assignment', `${left} ${ASSIGNMENT[operator]} ${right};`, 'statement')
        }
        if (!/ (storage pointer|calldata)$/.test(typeOf(expression))) add(node, 'statement', '', 'statement')
        break
      }
      case 'EmitStatement':
        add(node, 'event', '', 'statement')
        break
      case 'Return':
        if (isNode(node.expression) && !isPointer(node.expression)) add(node, 'return', '', 'statement')
        break
      case 'Continue':
      case 'Break':
        add(node, 'statement', '', 'statement')
        break
      case 'ModifierInvocation':
        if (node.kind === 'modifierInvocation') add(node, 'modifier', '', 'modifier')
        return
    }
    for (const child of childrenOf(node)) visit(child, node)
    where = outer
  }
  visit(ast, undefined)
  return mutants
}
