import TestSupport

extension Browser {
    /// The least contrast of text on a shaded token, over all colours from no shade to the full one, by
    /// the formula of WCAG 2.2; 0 where the page's paper is not that of the theme.
    func leastContrast(_ theme: String) throws -> Double {
        try run(
            """
            const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
            const paper = numbers(getComputedStyle(document.body).backgroundColor);
            const light = (c) => {
              const [r, g, b] = c.map((x) => x / 255).map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const isDark = light(paper) < 0.2;
            if (isDark !== ("\(theme)" === "dark")) return 0;
            let least = 99;
            const probe = document.createElement("span");
            document.querySelector(".tokens").append(probe);
            for (const kind of ["attention", "plus", "minus"]) {
              probe.className = "token " + kind;
              for (let w = 0; w <= 1; w += 0.02) {
                probe.style.setProperty("--w", w);
                const style = getComputedStyle(probe);
                const [r, g, b, a = 1] = numbers(style.backgroundColor);
                const ground = [r, g, b].map((x, i) => a * x + (1 - a) * paper[i]);
                const [x, y] = [light(numbers(style.color).slice(0, 3)), light(ground)].sort((p, q) => q - p);
                least = Math.min(least, (x + 0.05) / (y + 0.05));
              }
            }
            probe.remove();
            return least;
            """)
    }
}
