package flotilla.search;

import java.util.Map;
import java.util.function.BiFunction;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.ngram.EdgeNGramTokenFilter;
import org.apache.lucene.analysis.ngram.NGramTokenFilter;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

/**
 * The filters and analysers of Elasticsearch's analysis-common module that Flotilla's mappings name.
 *
 * <p>The module itself is not published as a library; Lucene, which does the work, is on the class path.
 */
public final class AnalysisFilters extends Plugin implements AnalysisPlugin {
  @Override
  public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
    return Map.of(
        "asciifolding", filter((settings, tokens) -> new ASCIIFoldingFilter(tokens)),
        "porter_stem", filter((settings, tokens) -> new PorterStemFilter(tokens)),
        "edge_ngram",
            filter(
                (settings, tokens) ->
                    new EdgeNGramTokenFilter(
                        tokens, shortest(settings), longest(settings), keepsOriginal(settings))),
        "ngram",
            filter(
                (settings, tokens) ->
                    new NGramTokenFilter(
                        tokens, shortest(settings), longest(settings), keepsOriginal(settings))));
  }

  @Override
  public Map<String, AnalysisProvider<AnalyzerProvider<? extends org.apache.lucene.analysis.Analyzer>>>
      getAnalyzers() {
    return Map.of("english", AnalysisFilters::english);
  }

  private static AnalysisProvider<TokenFilterFactory> filter(
      BiFunction<Settings, TokenStream, TokenStream> build) {
    return (index, environment, name, settings) ->
        new AbstractTokenFilterFactory(index, name, settings) {
          @Override
          public TokenStream create(TokenStream tokens) {
            return build.apply(settings, tokens);
          }
        };
  }

  private static AnalyzerProvider<EnglishAnalyzer> english(
      org.elasticsearch.index.IndexSettings index,
      org.elasticsearch.env.Environment environment,
      String name,
      Settings settings) {
    EnglishAnalyzer analyzer = new EnglishAnalyzer();
    return new AbstractIndexAnalyzerProvider<EnglishAnalyzer>(index, name, settings) {
      @Override
      public EnglishAnalyzer get() {
        return analyzer;
      }
    };
  }

  private static int shortest(Settings settings) {
    return settings.getAsInt("min_gram", 1);
  }

  private static int longest(Settings settings) {
    return settings.getAsInt("max_gram", 2);
  }

  private static boolean keepsOriginal(Settings settings) {
    return settings.getAsBoolean("preserve_original", false);
  }
}
