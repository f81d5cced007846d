import Testing

@testable import ProbeReports

/// Expected texts are those of Mustache's specification, but for names that are nowhere.
@Suite("Templates")
struct TemplateTests {
    private struct Person {
        var name = "Ann <a@b.c> & \"co\" 'x'"
        var age = 7
        var nickname: String? = nil
        var isAdult = false
        var pets: [Pet] = [Pet(name: "Rex"), Pet(name: "Tom")]
        var words = ["a", "<b>"]
        var home: Home? = Home(street: "Elm")
        var past: Home? = nil
    }
    private struct Pet { let name: String }
    private struct Home { let street: String }

    private func render(_ text: String, _ partials: [String: String] = [:], _ content: Any = Person()) throws
        -> String
    {
        let templates = try [String: Template](
            uniqueKeysWithValues: partials.map { ($0, try Template($0, $1)) })
        return try Template("test", text).render(content, partials: templates)
    }

    @Test(arguments: [
        ("{{name}}", "Ann &lt;a@b.c&gt; &amp; &quot;co&quot; &#39;x&#39;"),
        ("{{{name}}}", "Ann <a@b.c> & \"co\" 'x'"),
        ("{{ age }}, {{nickname}}.", "7, ."),
        ("{{#pets}}{{name}} of {{age}} {{/pets}}", "Rex of 7 Tom of 7 "),
        ("{{#words}}[{{.}}]{{/words}}", "[a][&lt;b&gt;]"),
        ("{{#home}}{{street}}{{/home}}{{^home}}none{{/home}}", "Elm"),
        ("{{#past}}{{street}}{{/past}}{{^past}}none{{/past}}", "none"),
        ("{{#isAdult}}old{{/isAdult}}{{^isAdult}}young{{/isAdult}}", "young"),
        ("{ {{age}} } {{{age}}}}", "{ 7 } 7}"),
        // Lines with nothing but the tag of a section, the last of them without an end.
        ("a\n  {{#pets}}\n {{name}}\n\t{{/pets}} \nb", "a\n Rex\n Tom\nb"),
        ("{{#isAdult}}\r\nx\r\n{{/isAdult}}\r\ny", "y"),
        ("{{#home}}\nx\n{{/home}}", "x\n"),
        // A line with more on it is kept, and its white space.
        ("a\n {{#home}}x{{/home}}\n{{#home}} {{/home}}\nb", "a\n x\n \nb"),
        ("{{#home}}\n{{#past}}{{/past}}{{#home}}y{{/home}}\n{{/home}}\n", "y\n"),
    ])
    func aTemplateIsFilledIn(template: String, expected: String) throws {
        #expect(try render(template) == expected)
    }

    @Test func anotherTemplateSeesTheValueAroundIt() throws {
        #expect(
            try render("{{#pets}}{{>pet}}{{/pets}}", ["pet": "<{{name}}{{>dot}}", "dot": "."]) == "<Rex.<Tom."
        )
    }

    // A character with an accent on it is a character of its own, and its first part still ends an attribute.
    @Test func everyScalarIsEscaped() throws {
        #expect(try render("{{.}}", [:], "\"\u{301}<\u{338}") == "&quot;\u{301}&lt;\u{338}")
    }

    @Test(arguments: [
        ("{{street}}", "template test: expected a value called street, found none in Person"),
        (
            "{{#pets}}{{street}}{{/pets}}",
            "template test: expected a value called street, found none in Pet, Person"
        ),
        ("{{^street}}x{{/street}}", "template test: expected a value called street, found none in Person"),
        ("{{home}}", "template test: expected a text or a whole number called home, found Home"),
        ("{{>pet}}", "template test: expected a template called pet, found none"),
        ("{{#home}}x", "template test: expected {{/home}}, found the end"),
        ("{{#home}}x{{/past}}", "template test: expected {{/home}}, found {{/past}}"),
        ("x{{/past}}", "template test: expected {{/past}} only after {{#past}} or {{^past}}"),
        ("x{{name", "template test: expected }}, found the end"),
        ("x{{}}", "template test: expected a name between {{ and }}, found none"),
    ])
    func aMistakeInATemplateIsNamed(template: String, message: String) throws {
        let error = try #require(throws: TemplateError.self) { try render(template) }
        #expect("\(error)" == message)
    }
}
