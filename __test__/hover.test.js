'use strict'

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const ts = require('typescript')

const root = join(__dirname, '..')
const files = ['index.d.ts', 'https.d.ts', 'testing.d.ts'].map((name) => join(root, name))

/** What an editor shows of a symbol or a signature, inherited text as well. */
const textOf = (documented, checker) =>
  ts.displayPartsToString(documented.getDocumentationComment(checker))

/**
 * @param {ts.Node} node
 * @param {ts.TypeChecker} checker
 * @return {Boolean} Whether an editor would show it without a text
 */
function isSilent(node, checker) {
  if (ts.isMethodSignature(node) || ts.isFunctionDeclaration(node)) {
    return textOf(checker.getSignatureFromDeclaration(node), checker) === ''
  }
  const isShown =
    ts.isPropertySignature(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isTypeAliasDeclaration(node)
  const symbol = isShown ? checker.getSymbolAtLocation(node.name) : undefined
  return symbol !== undefined && textOf(symbol, checker) === ''
}

describe('the types', { timeout: 300_000 }, () => {
  it('have a text for each type, member and signature, which editors show', () => {
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.Node16,
      moduleResolution: ts.ModuleResolutionKind.Node16,
      target: ts.ScriptTarget.ESNext,
      types: ['node'],
    })
    const checker = program.getTypeChecker()
    const silent = []
    let seen = 0
    for (const source of program.getSourceFiles().filter(({ fileName }) => isOurs(fileName))) {
      const visit = (node) => {
        seen++
        if (isSilent(node, checker)) {
          const { line } = source.getLineAndCharacterOfPosition(node.getStart(source))
          silent.push(`${source.fileName}:${line + 1} ${node.name.getText(source)}`)
        }
        ts.forEachChild(node, visit)
      }
      visit(source)
    }
    assert.deepEqual(silent, [])
    assert.ok(seen > 2000, `${seen} nodes were seen`)
  })
})

/** TypeScript writes slashes on every system. */
function isOurs(fileName) {
  return files.some((file) => file.replaceAll('\\', '/') === fileName)
}
